"""`/workflow grants`: admins give grants beside the policy file, and take them back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from bot.domain.errors import Refused
from bot.domain.policy import EVERYWHERE, Effect, Grant
from bot.slack.blocks.grants_modal import CHANNEL, PERSON, UNTIL, WORKFLOW, field_id, grants_modal
from bot.slack.blocks.modals import notice
from bot.slack.error_text import whom_to_ask
from bot.slack.forms.command_text import Command
from bot.slack.ids import Action
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.slack.listeners.modal import Content, Said, open_modal, replace_modal
from bot.slack.listeners.picker import picker_channel
from bot.use_cases.grant_permission import add_grant, remove_grant


async def grants_asked(context: Context, incoming: Incoming, _: Command) -> None:
    """The command."""
    incoming.reply.ack()
    await open_modal(context, incoming, _modal(context, incoming, incoming.channel_id))


async def grant_taken_back(context: Context, incoming: Incoming) -> None:
    """The button beside a grant."""
    incoming.reply.ack()
    await replace_modal(context, incoming, _take_back(context, incoming))


async def grant_given(context: Context, incoming: Incoming) -> None:
    """The form."""
    if not await context.admits(incoming, context.admins, "grants"):
        await context.voice.show(incoming, _refused(context))
        return
    actor, _ = await context.who(incoming)
    form = _form(incoming)
    state = _typed(incoming, form)
    if not (state[PERSON].get(Action.GRANT_FIELD.value) or {}).get("selected_user"):
        _object(incoming, field_id(PERSON, form), "Choose a person.")
        return
    if not (state[WORKFLOW].get(Action.PICK_WORKFLOW.value) or {}).get("selected_option"):
        _object(incoming, field_id(WORKFLOW, form), "Choose a workflow.")
        return
    grant = _read(state, incoming.user_id)
    try:
        by = (actor.team_id, actor.user_id, actor.name)
        await add_grant(grant, *by, context.store, incoming.request_id)
    except Refused as error:
        _object(incoming, field_id(UNTIL if grant.until else WORKFLOW, form), str(error))
        return
    content = await _modal(context, incoming, picker_channel(incoming), form + 1)
    if isinstance(content, dict):
        await context.voice.show(incoming, content)


async def _take_back(context: Context, incoming: Incoming) -> Content:
    if not await context.admits(incoming, context.admins, "grants"):
        return Said("Not permitted", f":no_entry: Only admins may do that. {whom_to_ask(context.admins)}")
    actor, _ = await context.who(incoming)
    by = (actor.team_id, actor.user_id, actor.name)
    await remove_grant(int(incoming.action["value"]), *by, context.store, incoming.request_id)
    return await _modal(context, incoming, picker_channel(incoming), _form(incoming))


async def _modal(context: Context, incoming: Incoming, channel_id: str, form: int = 0) -> Content:
    if not await context.admits(incoming, context.admins, "grants"):
        return Said("Not permitted", f":no_entry: Only admins may give grants. {whom_to_ask(context.admins)}")
    grants = await context.store.read(lambda tx: tx.all_grants())
    return grants_modal([grant for grant in grants if not grant.from_file], channel_id, form)


def _refused(context: Context) -> dict[str, Any]:
    return notice("Not permitted", f":no_entry: Only admins may give grants. {whom_to_ask(context.admins)}")


def _object(incoming: Incoming, block_id: str, words: str) -> None:
    incoming.reply.ack({"response_action": "errors", "errors": {block_id: words}})


def _form(incoming: Incoming) -> int:
    """How many grants were given in this window; 0 where the view isn't ours."""
    try:
        return int(json.loads(incoming.view.get("private_metadata") or "{}").get("f", 0))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return 0


def _typed(incoming: Incoming, form: int) -> dict[str, dict[str, Any]]:
    """What each field holds, by its name."""
    values = (incoming.view.get("state") or {}).get("values") or {}
    return {name: values.get(field_id(name, form)) or {} for name in (PERSON, WORKFLOW, CHANNEL, UNTIL)}


def _read(state: dict[str, Any], by: str) -> Grant:
    field = Action.GRANT_FIELD.value
    person = str(state[PERSON][field]["selected_user"])
    workflow = str(state[WORKFLOW][Action.PICK_WORKFLOW.value]["selected_option"]["value"])
    channel = state[CHANNEL][field].get("selected_conversation")
    day = state[UNTIL][field].get("selected_date")
    until = datetime.combine(date.fromisoformat(day), time(), UTC) + timedelta(days=1) if day else None
    words = f"granted by {by}" + (f" until {until:%Y-%m-%d %H:%M} UTC" if until else "")
    return Grant(Effect.ALLOW, person, workflow, channel or EVERYWHERE, words=words, until=until)
