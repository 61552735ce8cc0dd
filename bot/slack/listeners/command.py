"""The slash command: opens the picker, runs a workflow by name, or answers a question."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Mapping

from bot.domain.runs import Run
from bot.slack.blocks.lists import help_text, history_text, offers_text, run_text
from bot.slack.blocks.modals import picker
from bot.slack.blocks.text import code, escape
from bot.slack.error_text import nothing_here
from bot.slack.forms.command_text import Command, UnreadableCommand, read_command
from bot.slack.ids import Subcommand
from bot.slack.incoming import Incoming
from bot.slack.listeners.audit import audit_asked
from bot.slack.listeners.authenticator import authenticator_asked
from bot.slack.listeners.cancel import cancel_by_name
from bot.slack.listeners.context import Context
from bot.slack.listeners.grants import grants_asked
from bot.slack.listeners.import_workflow import import_asked
from bot.slack.listeners.lock import lock_asked, unlock_asked
from bot.slack.listeners.modal import Content, Said, open_modal
from bot.slack.listeners.pending import pending_asked
from bot.slack.listeners.review import review_by_name
from bot.slack.listeners.run_by_name import run_by_name
from bot.slack.listeners.why import why
from bot.use_cases.choose_workflow import offers
from bot.use_cases.read_runs import latest_runs, one_run, standing_of

HISTORY = 15  # runs in one answer


async def command(context: Context, incoming: Incoming) -> None:
    """`/workflow …`: one look into the table at the end of this file."""
    try:
        parsed = read_command(str(incoming.body.get("text") or ""))
    except UnreadableCommand as error:
        incoming.reply.ack(_private(f":information_source: {escape(str(error))}\n\n{help_text(context.command)}"))
        return
    await _ANSWERS[parsed.subcommand](context, incoming, parsed)


async def _help(context: Context, incoming: Incoming, _: Command) -> None:
    incoming.reply.ack(_private(help_text(context.command)))


async def _run(context: Context, incoming: Incoming, parsed: Command) -> None:
    if parsed.words or parsed.pairs:
        await run_by_name(context, incoming, parsed)
    else:
        await _choose(context, incoming, parsed)


async def _choose(context: Context, incoming: Incoming, _: Command) -> None:
    incoming.reply.ack()
    await open_modal(context, incoming, _picker(context, incoming))


async def _history(context: Context, incoming: Incoming, _: Command) -> None:
    incoming.reply.ack()
    await _say(context, incoming, history_text(await latest_runs(incoming.user_id, HISTORY, context.store)))


async def _picker(context: Context, incoming: Incoming) -> Content:
    actor, subjects = await context.who(incoming)
    found = await offers(actor, subjects, incoming.channel_id, context.store, context.admitted)
    if not found:
        return Said("Nothing to run here", nothing_here(context.admins))
    return picker(found, incoming.channel_id)


async def _list(context: Context, incoming: Incoming, _: Command) -> None:
    incoming.reply.ack()
    actor, subjects = await context.who(incoming)
    found = await offers(actor, subjects, incoming.channel_id, context.store, context.admitted)
    await _say(context, incoming, offers_text(found, context.command) if found else nothing_here(context.admins))


async def _status(context: Context, incoming: Incoming, parsed: Command) -> None:
    incoming.reply.ack()
    await _say(context, incoming, await _one_status(context, incoming, parsed))


async def _one_status(context: Context, incoming: Incoming, parsed: Command) -> str:
    if not parsed.words:
        latest = await latest_runs(incoming.user_id, 1, context.store)
        return await _run_text(context, latest[0]) if latest else history_text([])
    run = await one_run(parsed.words[0], incoming.user_id, context.admins, context.store)
    if run is not None:
        return await _run_text(context, run)
    mine = [one.id for one in await latest_runs(incoming.user_id, 50, context.store)]
    near = difflib.get_close_matches(parsed.words[0].upper(), mine, n=1)
    hint = f" Did you mean {code(near[0])}?" if near else f" {code(f'{context.command} history')} shows yours."
    return f":information_source: You have no run {code(parsed.words[0][:40])}.{hint}"


async def _run_text(context: Context, run: Run) -> str:
    return run_text(run, context.link(run), await standing_of(run, context.store))


async def _say(context: Context, incoming: Incoming, words: str) -> None:
    await context.voice.tell(incoming, "Workflows", words)


def _private(words: str) -> dict[str, str]:
    return {"response_type": "ephemeral", "text": words}


_ANSWERS: Mapping[Subcommand | None, Callable[[Context, Incoming, Command], Awaitable[None]]] = {
    None: _choose,
    Subcommand.RUN: _run,
    Subcommand.LIST: _list,
    Subcommand.STATUS: _status,
    Subcommand.HISTORY: _history,
    Subcommand.CANCEL: cancel_by_name,
    Subcommand.PENDING: pending_asked,
    Subcommand.APPROVE: review_by_name,
    Subcommand.REFUSE: review_by_name,
    Subcommand.AUTHENTICATOR: authenticator_asked,
    Subcommand.WHY: why,
    Subcommand.LOCK: lock_asked,
    Subcommand.UNLOCK: unlock_asked,
    Subcommand.GRANTS: grants_asked,
    Subcommand.IMPORT: import_asked,
    Subcommand.AUDIT: audit_asked,
    Subcommand.HELP: _help,
}
