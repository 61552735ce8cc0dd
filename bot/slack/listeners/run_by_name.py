"""`/workflow run NAME key=value …`: starts at once where nothing is missing, else opens the form with what was given."""

from __future__ import annotations

import secrets

from bot.slack.blocks.approval_fields import Pleading
from bot.slack.blocks.approval_words import quorums_text
from bot.slack.blocks.text import code, escape
from bot.slack.blocks.workflow_form import FormMemory, problems, workflow_form
from bot.slack.error_text import refusal
from bot.slack.forms.command_text import Command, UnreadableCommand, read_pairs
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.slack.listeners.modal import Content, Said, open_modal
from bot.slack.listeners.why import dry_run
from bot.use_cases.run_workflow import (
    REQUIRED,
    AlreadyRequested,
    Ask,
    AwaitsApproval,
    Denied,
    FormParts,
    Incomplete,
    Outcome,
    Outdated,
    ReasonNeeded,
    Requested,
    Values,
    request,
)


async def run_by_name(context: Context, incoming: Incoming, parsed: Command) -> None:
    """Ask for the run; whatever is still needed from the person is asked in a form.

    Answered when that is done, by the switchboard: Slack shows an empty answer as "taken", so it must not come before the
    run is recorded.
    """
    if len(parsed.words) != 1:
        given = " ".join(parsed.words[1:])[:100]
        words = f"What is {code(given)}? Write each input as {code('name=value')}, with quotes around spaces."
        if not parsed.words:
            words = f"Which workflow? Write {code(f'{context.command} run NAME key=value …')}."
        await context.voice.tell(incoming, "Run a workflow", f":information_source: {words}")
        return
    if parsed.dry_run:
        try:
            words = await dry_run(context, incoming, parsed)
        except UnreadableCommand as error:
            words = f":information_source: {escape(str(error))}"
        await context.voice.tell(incoming, "Dry run", words)
        return
    await open_modal(context, incoming, _outcome(context, incoming, parsed))


async def _outcome(context: Context, incoming: Incoming, parsed: Command) -> Content:
    actor, subjects = await context.who(incoming)
    ask = Ask(
        actor=actor,
        subjects=subjects,
        channel_id=incoming.channel_id,
        workflow=parsed.words[0][:100],
        key=incoming.command_key(),
        request_id=incoming.request_id,
        read=lambda entry: read_pairs(entry, parsed.pairs),
        reason=parsed.reason,
        break_glass=parsed.break_glass,
    )
    try:
        outcome = await request(ask, context.store, context.sealer, context.admitted)
    except UnreadableCommand as error:
        return Said("Run a workflow", f":information_source: {escape(str(error))}")
    return _content(context, incoming, outcome, Pleading(parsed.reason, parsed.break_glass))


def _content(context: Context, incoming: Incoming, outcome: Outcome, said: Pleading) -> Content:
    """What the person is shown of it; nothing, where the run's own message says it."""
    match outcome:
        case Requested(run, entry):
            context.start(run, entry)
            return None
        case Denied(workflow, decision):
            return Said("Not permitted", refusal(workflow, decision, context.admins))
        case Incomplete(form, values):
            wrong = {name: words for name, words in values.errors.items() if words != REQUIRED}
            return _form(form, values, incoming.channel_id, problems(form.entry, wrong), said)
        case ReasonNeeded(form, values, requirement):
            why = f"This needs approval by {quorums_text(requirement.quorums)}. Say why below."
            return _form(form, values, incoming.channel_id, why, said)
        case AwaitsApproval():
            context.wake()
            return None  # its message says whom it waits for
        case AlreadyRequested() | Outdated():
            return None  # the same command delivered again: its run has its own message


def _form(form: FormParts, values: Values, channel_id: str, note: str, said: Pleading) -> Content:
    memory = FormMemory(form.entry.name, channel_id, form.entry.definition_hash, secrets.token_hex(16))
    return workflow_form(form.entry, memory, values.given, note, form.asks, said)
