"""Run again: the form, filled in with the inputs of an earlier run. Permission is decided anew; secrets are typed anew."""

from __future__ import annotations

import secrets

from bot.domain.inputs import InvalidInput
from bot.slack.blocks.text import code
from bot.slack.blocks.workflow_form import FormMemory, workflow_form
from bot.slack.error_text import in_the_way, refusal
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.slack.listeners.modal import Content, Said, open_modal
from bot.use_cases.choose_workflow import note_refusal, offer


async def run_again_pressed(context: Context, incoming: Incoming) -> None:
    """The button on a run that is over."""
    incoming.reply.ack()
    await open_modal(context, incoming, _form(context, incoming, str(incoming.action.get("value", ""))))


async def _form(context: Context, incoming: Incoming, run_id: str) -> Content:
    run = await context.store.read(lambda tx: tx.run(run_id))
    if run is None:
        return Said("Run again", f":information_source: There is no run {code(run_id[:40])} any more.")
    actor, subjects = await context.who(incoming)
    # Pressed in a direct message, it is for the channel of the run: there is where it may be permitted.
    channel_id = run.channel_id if incoming.channel_id.startswith("D") else incoming.channel_id
    found = await offer(actor, subjects, channel_id, run.workflow, context.store, context.admitted)
    entry = found.entry
    if entry is None or not found.decision.allowed:
        await note_refusal(actor, channel_id, run.workflow, found.decision, incoming.request_id, context.store)
        return Said("Not permitted", refusal(run.workflow, found.decision, context.admins))
    values = {}
    for field in entry.inputs:
        try:
            if field.name in run.inputs:
                values[field.name] = field.checked(run.inputs[field.name])
        except InvalidInput:
            continue  # the workflow has changed since: the field starts empty
    memory = FormMemory(entry.name, channel_id, entry.definition_hash, secrets.token_hex(16))
    return workflow_form(entry, memory, values, in_the_way(entry.name, found.obstacle), found.asks)
