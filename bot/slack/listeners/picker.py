"""A workflow was chosen in the picker: its own form takes the picker's place."""

from __future__ import annotations

import json
import secrets

from bot.slack.blocks.workflow_form import FormMemory, workflow_form
from bot.slack.error_text import in_the_way, refusal
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.slack.listeners.modal import Content, Said, replace_modal
from bot.use_cases.choose_workflow import note_refusal, offer


async def workflow_picked(context: Context, incoming: Incoming) -> None:
    """The select of the picker."""
    incoming.reply.ack()
    option = incoming.action.get("selected_option") or {}
    if option:
        await replace_modal(context, incoming, _form(context, incoming, str(option.get("value", ""))[:100]))


async def _form(context: Context, incoming: Incoming, name: str) -> Content:
    channel_id = picker_channel(incoming)
    actor, subjects = await context.who(incoming)
    found = await offer(actor, subjects, channel_id, name, context.store, context.admitted)
    if found.entry is None or not found.decision.allowed:
        await note_refusal(actor, channel_id, name, found.decision, incoming.request_id, context.store)
        return Said("Not permitted", refusal(name, found.decision, context.admins))
    memory = FormMemory(found.entry.name, channel_id, found.entry.definition_hash, secrets.token_hex(16))
    return workflow_form(found.entry, memory, note=in_the_way(found.entry.name, found.obstacle), asks=found.asks)


def picker_channel(incoming: Incoming) -> str:
    """The channel in which the picker was opened; nowhere, where the view isn't ours."""
    try:
        return str(json.loads(incoming.view.get("private_metadata") or "{}").get("c", ""))[:40]
    except (ValueError, AttributeError, RecursionError):
        return ""
