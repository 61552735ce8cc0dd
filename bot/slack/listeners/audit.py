"""`/workflow audit …`: auditors and admins look through the trail; that they did is in it."""

from __future__ import annotations

import re

from bot.domain.trail_filter import InvalidFilter, TrailFilter, read_filter
from bot.slack.blocks.audit_post import TOGETHER, audit_post
from bot.slack.blocks.text import code, escape
from bot.slack.error_text import whom_to_ask
from bot.slack.forms.command_text import Command
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.use_cases.read_audit_trail import search_as

PERSON = re.compile(r"[UW][A-Z0-9]{2,20}")
RUN = re.compile(r"R-[0-9A-Z]{10}", re.IGNORECASE)


async def audit_asked(context: Context, incoming: Incoming, parsed: Command) -> None:
    """The latest records that fit, to the asker alone."""
    incoming.reply.ack()
    if not await context.admits(incoming, (*context.auditors, *context.admins), "audit"):
        words = f":no_entry: Only auditors and admins may look through the trail. {whom_to_ask(context.admins)}"
        await context.voice.tell(incoming, "Audit", words)
        return
    try:
        wanted = _wanted(parsed)
    except InvalidFilter as error:
        usage = code(f"{context.command} audit @person NAME R-… act=… outcome=… since=2026-01-31 until=…")
        await context.voice.tell(incoming, "Audit", f":information_source: {escape(str(error))} Write {usage}.")
        return
    actor, _ = await context.who(incoming)
    found = await search_as(actor, incoming.channel_id, incoming.request_id, wanted, TOGETHER, context.store)
    if not found:
        await context.voice.tell(incoming, "Audit", "Nothing in the trail fits.")
        return
    text, blocks = audit_post(found)
    await context.voice.tell(incoming, "Audit", text, blocks)


def _wanted(parsed: Command) -> TrailFilter:
    """A person, a run and a workflow may be given bare. Raises InvalidFilter."""
    given: dict[str, str | None] = dict(parsed.pairs)
    for word in parsed.words:
        name = "user" if PERSON.fullmatch(word) else "run" if RUN.fullmatch(word) else "workflow"
        if name in given:
            raise InvalidFilter(f"“{word[:40]}” is one {name} too many.")
        given[name] = word
    return read_filter(given)
