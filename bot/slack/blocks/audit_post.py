"""Audit records for the audit channel: a line each, with sequence number and hash, so that the channel is a witness."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bot.domain.audit import Record
from bot.domain.inputs import as_text
from bot.slack.blocks.text import SECTION, code, cut, escape

# One message takes this many records at most; each is one section.
TOGETHER = 10
# Slack takes about 13,000 characters of blocks in a message, counted as JSON, where a quote counts twice.
MESSAGE = 6000
SHOWN_HASH = 16


def audit_post(records: Sequence[Record]) -> tuple[str, list[dict[str, Any]]]:
    """The text for notifications and the blocks of one message."""
    limit = min(SECTION, MESSAGE // len(records))
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": audit_line(record, limit)}} for record in records]
    first, last = records[0].seq, records[-1].seq
    return f"Audit record {first}" if first == last else f"Audit records {first} to {last}", blocks


def audit_line(record: Record, limit: int = SECTION) -> str:
    """One record in words, mrkdwn, at most `limit` characters; whatever must be cut, the hash stays."""
    body = json.loads(record.body)
    actor = body["actor"]
    # A name and an id, not a mention: the trail must not ping people.
    who = f"{escape(actor['name'])} {code(actor['user'])}" if actor["user"] else escape(actor["name"])
    parts = [f"*#{record.seq} {escape(body['act'])}*", who.strip()]
    if body["workflow"]:
        parts.append(code(body["workflow"]))
    if body["run"]:
        parts.append(f"run {code(body['run'])}")
    parts += [f"{label} {code(cut(as_text(body[key]), 200))}" for key, label in _SHOWN.items() if body.get(key)]
    inputs = [f"{name}={as_text(value)}" for name, value in (body.get("inputs") or {}).items()]
    inputs += [f"{name}=(secret)" for name in body.get("secret_inputs") or {}]
    if inputs:
        parts.append(code(cut(" ".join(inputs), 1000)))
    witness = f"\n{code(record.hash[:SHOWN_HASH])} {escape(body['at'])}"
    return cut(" · ".join(parts), limit - len(witness)) + witness


# What tells one record of its act from another, and how each is called; the rest is in the trail.
_SHOWN = {
    "state": "state",
    "reason": "because",
    "reason_given": "reason",
    "comment": "comment",
    "instance": "instance",
    "error": "error",
    "effect": "effect",
    "subject": "for",
    "target": "to run",
    "in": "in",
    "when": "with",
    "until": "until",
    "owner": "of",
    "held_by": "held by",
    "asks_for": "asks for",
    "to": "to",
    "wanted": "wanted",
    "changed": "change",
    "settings": "settings",
    "how": "how",
    "breaks": "findings",
    "file": "file",
    "policy": "policy version",
}
