"""The form was submitted: ask for the run before answering Slack, so that "yes" means "recorded"."""

from __future__ import annotations

from bot.domain.approvals import people_needed
from bot.domain.errors import NotRecorded, SlackUnavailable
from bot.domain.policy import Reason
from bot.domain.runs import Run
from bot.slack.blocks.approval_fields import GLASS, REASON
from bot.slack.blocks.modals import notice
from bot.slack.blocks.refill import refill
from bot.slack.blocks.text import channel, code, escape
from bot.slack.blocks.workflow_form import FormMemory, problems, workflow_form
from bot.slack.error_text import refusal
from bot.slack.forms.workflow_form import read_form, read_pleading
from bot.slack.ids import block_of
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.use_cases.run_workflow import (
    AlreadyRequested,
    Ask,
    AwaitsApproval,
    Denied,
    Incomplete,
    Outcome,
    Outdated,
    ReasonNeeded,
    Requested,
    request,
)


async def form_submitted(context: Context, incoming: Incoming) -> None:
    """Run was pressed."""
    try:
        memory = FormMemory.load(str(incoming.view.get("private_metadata")))
    except ValueError:
        words = "This form is from another version of the bot. Close it and start again."
        await context.voice.show(incoming, notice("Out of date", words))
        return
    try:
        outcome = await _ask(context, incoming, memory)
    except (NotRecorded, SlackUnavailable) as error:
        await _keep_form(context, incoming, f"{error} What you typed is still here.")
        return
    await _render(context, incoming, memory, outcome)


async def _ask(context: Context, incoming: Incoming, memory: FormMemory) -> Outcome:
    actor, subjects = await context.who(incoming)
    state = (incoming.view.get("state") or {}).get("values") or {}
    said = read_pleading(state)
    ask = Ask(
        actor=actor,
        subjects=subjects,
        channel_id=memory.channel_id,
        workflow=memory.workflow,
        key=f"form:{actor.team_id}:{memory.nonce}",
        request_id=incoming.request_id,
        read=lambda entry: read_form(entry, state),
        definition_hash=memory.definition_hash,
        reason=said.reason,
        break_glass=said.break_glass,
    )
    return await request(ask, context.store, context.sealer, context.admitted)


async def _render(context: Context, incoming: Incoming, memory: FormMemory, outcome: Outcome) -> None:
    match outcome:
        case Requested(run) | AwaitsApproval(run):
            if isinstance(outcome, Requested):
                context.start(run, outcome.entry)
            await _recorded(context, incoming, run)
        case AlreadyRequested(run, same_values):
            words = f":information_source: This form has started run {code(run.id)} already"
            words += "." if same_values else " with other values. Open a new form to run it again."
            if not same_values or not incoming.reply.ack():
                await context.voice.show(incoming, notice("Already started", words))
        case Denied(_, decision) if decision.reason is Reason.NO_BREAK_GLASS and _has(incoming, GLASS):
            words = "With these values it can't be started without approval. Untick this to ask for it."
            await _correct(context, incoming, {GLASS: words}, words)
        case Denied(workflow, decision):
            await context.voice.show(incoming, notice("Not permitted", refusal(workflow, decision, context.admins)))
        case Incomplete(form, values):
            errors = {block_of(name): words for name, words in values.errors.items() if form.entry.input(name)}
            await _correct(context, incoming, errors, problems(form.entry, values.errors))
        case ReasonNeeded():
            await _ask_why(context, incoming, memory, outcome)
        case Outdated(form):
            state = (incoming.view.get("state") or {}).get("values") or {}
            why = "This workflow was changed while the form was open. Nothing was started: look again, then press Run."
            given, renewed = read_form(form.entry, state).given, _renewed(memory, form.entry.definition_hash)
            await context.voice.show(
                incoming, workflow_form(form.entry, renewed, given, why, form.asks, read_pleading(state))
            )


async def _ask_why(context: Context, incoming: Incoming, memory: FormMemory, needed: ReasonNeeded) -> None:
    why = f"This needs approval by {people_needed(needed.requirement.quorums)}: say why."
    if _has(incoming, REASON):
        await _correct(context, incoming, {REASON: why}, escape(why))
    else:  # the rules have changed since the form was opened
        form = workflow_form(needed.form.entry, memory, needed.values.given, escape(why), needed.form.asks)
        await context.voice.show(incoming, form)


def _has(incoming: Incoming, block_id: str) -> bool:
    return any(block.get("block_id") == block_id for block in incoming.view.get("blocks") or [])


async def _recorded(context: Context, incoming: Incoming, run: Run) -> None:
    """Closing the form says yes; too late for that, words do."""
    if run.bound_to:  # somebody is asked to approve it; else nothing is due before its launch is over
        context.wake()
    if not incoming.reply.ack():
        words = f":white_check_mark: Recorded as {code(run.id)}. Its message in {channel(run.channel_id)} goes on."
        await context.voice.update(str(incoming.view["id"]), notice("Recorded", words))


async def _correct(context: Context, incoming: Incoming, errors: dict[str, str], words: str) -> None:
    """Say what is wrong at the fields, or above them where it is too late for that."""
    if not incoming.reply.ack({"response_action": "errors", "errors": errors}):
        await context.voice.update(str(incoming.view["id"]), refill(incoming.view, f":warning: {words}"))


def _renewed(memory: FormMemory, definition_hash: str) -> FormMemory:
    return FormMemory(memory.workflow, memory.channel_id, definition_hash, memory.nonce)


async def _keep_form(context: Context, incoming: Incoming, words: str) -> None:
    """Say what is wrong without losing what was typed."""
    fields = list(((incoming.view.get("state") or {}).get("values") or {}).keys())
    if fields and incoming.reply.ack({"response_action": "errors", "errors": {fields[0]: words}}):
        return
    await context.voice.show(incoming, refill(incoming.view, f":warning: {escape(words)}"))
