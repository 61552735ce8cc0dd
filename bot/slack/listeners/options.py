"""What a searchable select offers as the person types: answered from the database, 100 at the most."""

from __future__ import annotations

from typing import Any

from slack_sdk.models.blocks import Option

from bot.domain.catalogue import Listing
from bot.domain.errors import WorkflowBotError
from bot.domain.inputs import Input
from bot.slack.blocks.modals import STATIC_OPTIONS, several_accounts, workflow_option
from bot.slack.blocks.workflow_form import FormMemory, choice, options_of, typed_choice
from bot.slack.ids import View, input_of
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.slack.listeners.picker import picker_channel
from bot.use_cases.choose_workflow import offer, offers


async def workflow_options(context: Context, incoming: Incoming) -> None:
    """Workflows whose title or name holds what was typed."""
    try:
        found = await _workflows(context, incoming, str(incoming.body.get("value") or ""))
    except WorkflowBotError:
        found = []  # Slack has no place for words here; the submit says what is wrong
    _answer(
        incoming,
        [workflow_option(entry, several=several_accounts(found)).to_dict() for entry in found[:STATIC_OPTIONS]],
    )


async def _workflows(context: Context, incoming: Incoming, typed: str) -> list[Listing]:
    if incoming.view.get("callback_id") == View.GRANTS:  # admins give what they may not run themselves
        if incoming.user_id not in context.admins:
            return []
        return await context.store.read(lambda tx: tx.listings(typed.strip(), STATIC_OPTIONS))
    actor, subjects = await context.who(incoming)
    return await offers(actor, subjects, picker_channel(incoming), context.store, context.admitted, typed)


async def input_options(context: Context, incoming: Incoming) -> None:
    """The allowed values of an input that hold what was typed, and that itself where other values are allowed."""
    name = input_of(str(incoming.body.get("block_id", "")))
    try:
        memory = FormMemory.load(str(incoming.view.get("private_metadata")))
        actor, subjects = await context.who(incoming)
        found = await offer(actor, subjects, memory.channel_id, memory.workflow, context.store, context.admitted)
    except (ValueError, WorkflowBotError):
        _answer(incoming, [])
        return
    field = found.entry.input(name) if found.entry and name and found.decision.allowed else None
    typed = str(incoming.body.get("value") or "").strip()
    _answer(incoming, [option.to_dict() for option in _matching(field, typed)] if field else [])


def _matching(field: Input, typed: str) -> list[Option]:
    listed = [option for option in options_of(field) if typed.lower() in option.label.lower()]
    found = [choice(option) for option in listed]
    extra = typed_choice(typed) if field.extra and all(option.label != typed for option in listed) else None
    return ([extra, *found] if extra else found)[:STATIC_OPTIONS]


def _answer(incoming: Incoming, options: list[dict[str, Any]]) -> None:
    incoming.reply.ack({"options": options})
