"""What is worth recording: a closed list of acts, what a record holds, and how one record is chained to the next.

A record says who did what, when, with which inputs, who or what let them, and how it ended. A retired act keeps its place
in the list: old records name it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import rfc8785

from bot.domain.facts import FACTS, RESERVED
from bot.domain.runs import Run

VERSION = 2  # of the acts and what they tell; 1: before every act was typed (bot.domain.facts)
GENESIS = "0" * 64


class Act(StrEnum):
    """The closed list of what the trail records."""

    REQUESTED = "requested"
    DENIED = "denied"
    LAUNCHING = "launching"
    LAUNCHED = "launched"
    LAUNCH_REFUSED = "launch refused"
    LAUNCH_POSTPONED = "launch postponed"
    UNKNOWN = "unknown"
    SEARCH_ENDED = "search ended"
    ENDED = "ended"
    CANCEL_ASKED = "cancel asked"
    CANCEL_DENIED = "cancel denied"
    CANCEL_SENT = "cancel sent"
    CANCEL_REFUSED = "cancel refused"
    RESOLVED = "resolved"
    RESOLVE_REFUSED = "resolve refused"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    LOCK_DENIED = "lock denied"
    GRANT_ADDED = "grant added"
    GRANT_REMOVED = "grant removed"
    ADMIN_DENIED = "admin denied"
    DEFINITION_CHANGED = "definition changed"
    POLICY_APPLIED = "policy applied"
    APPROVAL_ASKED = "approval asked"
    APPROVED = "approved"
    REFUSED = "refused"
    REVIEW_DENIED = "review denied"
    EXPIRED = "expired"
    ESCALATED = "escalated"
    WITHDRAWN = "withdrawn"
    GLASS_BROKEN = "glass broken"
    REVIEWED = "reviewed"
    AUTHENTICATOR_ADDED = "authenticator added"
    AUTHENTICATOR_REMOVED = "authenticator removed"
    CODE_REFUSED = "code refused"
    POLICY_REFUSED = "policy refused"
    OVERRIDE_USED = "override used"
    TRAIL_READ = "trail read"
    TRAIL_EXPORTED = "trail exported"
    TRAIL_VERIFIED = "trail verified"
    TRAIL_SEALED = "trail sealed"
    WORKSPACE_INSTALLED = "workspace installed"
    WORKSPACE_REMOVED = "workspace removed"


@dataclass(frozen=True, slots=True)
class Entry:
    """What an act adds to the trail, before the trail gives it a sequence number, a time and a hash.

    Raises ValueError where its facts are not those of its act.
    """

    act: Act
    team_id: str
    user_id: str
    user_name: str = ""
    run_id: str | None = None
    workflow: str | None = None
    request_id: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = FACTS.get(self.act.value)
        fault = known.fault(self.facts) if known else ""
        if fault or not RESERVED.isdisjoint(self.facts):
            raise ValueError(
                f"An entry “{self.act.value}” {fault or 'has a fact with a reserved name'}: see bot.domain.facts."
            )


def about(
    run: Run,
    act: Act,
    /,
    user_id: str | None = None,
    user_name: str = "",
    *,
    team_id: str | None = None,
    request_id: str | None = None,
    **facts: Any,
) -> Entry:
    """An act on a run: by its requester, unless somebody else did it, in the request given (else the run's own).

    `team_id` None is the run's team; whoever has no Slack id, as on the command line, is in none.
    """
    mine = user_id is None
    return Entry(
        act=act,
        team_id=(run.team_id if mine or user_id else "") if team_id is None else team_id,
        user_id=run.user_id if user_id is None else user_id,
        user_name=run.user_name if mine else user_name,
        run_id=run.id,
        workflow=run.workflow,
        request_id=run.request_id if request_id is None else request_id,
        facts={"channel": run.channel_id, **facts},
    )


@dataclass(frozen=True, slots=True)
class Record:
    """One stored record. `body` is the canonical JSON (RFC 8785) that `hash` covers; it holds `prev`, `seq` and `at`."""

    seq: int
    body: bytes
    hash: str


def body_of(entry: Entry, seq: int, at: str, prev: str) -> dict[str, Any]:
    """The record as JSON, to be made canonical by the caller. `at` is the database's time in ISO 8601, UTC."""
    return {
        "v": VERSION,
        "seq": seq,
        "at": at,
        "prev": prev,
        "act": entry.act.value,
        "actor": {"team": entry.team_id, "user": entry.user_id, "name": entry.user_name},
        "run": entry.run_id,
        "workflow": entry.workflow,
        "request": entry.request_id,
        **entry.facts,
    }


class Draft:
    """A record in canonical form (RFC 8785) but for what only its place in the chain tells.

    Canonical JSON is the members of an object, each in canonical form, in the order of their names. So all but three of them
    are made before the end of the chain is taken, for which other replicas wait.
    """

    __slots__ = ("_members",)

    def __init__(self, entry: Entry) -> None:
        told = body_of(entry, 0, "", "")
        self._members = {name: b'"%b":%b' % (name.encode(), rfc8785.dumps(told[name])) for name in sorted(told)}

    def body(self, seq: int, at: str, prev: str) -> bytes:
        """The canonical bytes of the record in its place."""
        members = self._members
        members["seq"], members["at"], members["prev"] = b'"seq":%d' % seq, _member("at", at), _member("prev", prev)
        return b"{%b}" % b",".join(members.values())


def _member(name: str, plain: str) -> bytes:
    return f'"{name}":"{plain}"'.encode()


def link(body: bytes, key: bytes) -> str:
    """The hash of a record: SHA-256 over its canonical bytes (which name the hash before), keyed where a key is set."""
    if key:
        return hmac.new(key, body, hashlib.sha256).hexdigest()
    return hashlib.sha256(body).hexdigest()
