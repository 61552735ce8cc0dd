"""`/workflow authenticator`: an approver sets up the app whose codes prove that it is them who presses."""

from __future__ import annotations

from bot.slack.blocks.authenticator_modal import REPLACE, authenticator_modal
from bot.slack.blocks.modals import notice
from bot.slack.blocks.refill import refill
from bot.slack.blocks.review_modal import CODE
from bot.slack.forms.command_text import Command
from bot.slack.ids import Action
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.slack.listeners.modal import Content, Said, open_modal
from bot.use_cases.check_code import CodeAnswer, begin_enrolment, confirm_enrolment

REFUSED = {
    CodeAnswer.NEEDED: "Type the code.",
    CodeAnswer.WRONG: "That code is wrong, or was used before. Wait for the next one.",
    CodeAnswer.BLOCKED: "Too many wrong codes. Try again in 15 minutes.",
    CodeAnswer.NO_AUTHENTICATOR: "This was started anew meanwhile. Close this window and begin again.",
}


async def authenticator_asked(context: Context, incoming: Incoming, _: Command) -> None:
    """The command."""
    incoming.reply.ack()
    await open_modal(context, incoming, _first(context, incoming))


async def code_submitted(context: Context, incoming: Incoming) -> None:
    """A code was typed: of the old app to replace it, or of the new one to confirm it."""
    state = (incoming.view.get("state") or {}).get("values") or {}
    code = str(((state.get(CODE) or {}).get(Action.CODE.value) or {}).get("value") or "")
    actor = await context.directory.actor(incoming.team_id, incoming.user_id, fresh=True)
    if incoming.view.get("private_metadata") == REPLACE:
        begun = await begin_enrolment(actor, code, context.store, context.codes)
        refused, then = begun.refused, authenticator_modal(begun.uri)
    else:
        refused = await confirm_enrolment(actor, code, context.store, context.codes)
        then = notice("Authenticator", ":white_check_mark: Your authenticator is set up. Its codes count from now on.")
    if refused is not None:
        if not incoming.reply.ack({"response_action": "errors", "errors": {CODE: REFUSED[refused]}}):
            await context.voice.update(str(incoming.view["id"]), refill(incoming.view, f":warning: {REFUSED[refused]}"))
        return
    await context.voice.show(incoming, then)


async def _first(context: Context, incoming: Incoming) -> Content:
    actor = await context.directory.actor(incoming.team_id, incoming.user_id, fresh=True)
    if not actor.may_act(frozenset()):
        return Said("Authenticator", ":no_entry: Only full members of this workspace can approve.")
    begun = await begin_enrolment(actor, None, context.store, context.codes)
    return authenticator_modal(begun.uri)
