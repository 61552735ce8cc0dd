"""Cancel a run: the button on its message, and `/workflow cancel ID`."""

from __future__ import annotations

from bot.slack.blocks.run_words import state_words
from bot.slack.blocks.text import code
from bot.slack.error_text import whom_to_ask
from bot.slack.forms.command_text import Command
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.use_cases.cancel_run import CancelAnswer, Cancellation, cancel


async def cancel_pressed(context: Context, incoming: Incoming) -> None:
    """The button; its message shows what becomes of it, so only a refusal needs words. Answered once it is recorded."""
    answer = await _cancel(context, incoming, str(incoming.action.get("value", "")))
    if answer.answer not in (CancelAnswer.ASKED, CancelAnswer.NOT_STARTED_ANY_MORE, CancelAnswer.WITHDRAWN):
        await context.voice.tell(incoming, "Cancel", cancel_words(answer, context.admins))


async def cancel_by_name(context: Context, incoming: Incoming, parsed: Command) -> None:
    """The command."""
    if len(parsed.words) != 1:
        usage = (
            f":information_source: Which run? Write {code(f'{context.command} cancel ID')}; the ID is in its message."
        )
        await context.voice.tell(incoming, "Cancel", usage)
        return
    answer = await _cancel(context, incoming, parsed.words[0].upper())
    await context.voice.tell(incoming, "Cancel", cancel_words(answer, context.admins))


async def _cancel(context: Context, incoming: Incoming, run_id: str) -> Cancellation:
    actor, subjects = await context.who(incoming)
    answer = await cancel(
        run_id[:40], actor, subjects, context.store, context.admitted, context.admins, incoming.request_id
    )
    context.wake()
    return answer


def cancel_words(answer: Cancellation, admins: tuple[str, ...]) -> str:
    """What became of the wish to cancel. mrkdwn."""
    run = answer.run
    name = code(run.id) if run else ""
    match answer.answer:
        case CancelAnswer.ASKED:
            return f":hourglass_flowing_sand: Cancelling {name}. Its message shows when Datadog has stopped it."
        case CancelAnswer.ASKED_BEFORE:
            return f":information_source: {name} is being cancelled already."
        case CancelAnswer.NOT_STARTED_ANY_MORE:
            return f":white_check_mark: {name} was still waiting. It will not be started."
        case CancelAnswer.WITHDRAWN:
            return f":white_check_mark: {name} is withdrawn. It will not be started, and those who were asked see that."
        case CancelAnswer.OVER:
            how = f" ({state_words(run)})" if run else ""
            return f":information_source: {name} is over{how}, so there is nothing to cancel."
        case CancelAnswer.UNKNOWN:
            return f":grey_question: Nobody knows yet whether {name} was started. Its message says what to do."
        case CancelAnswer.DENIED:
            who = "Its requester, admins, and people who may run the same workflow here can."
            return f":no_entry: You may not cancel {name}. {who} {whom_to_ask(admins)}"
        case _:
            return ":information_source: There is no such run. Its ID is in its message and looks like `R-7K3M9Q2X4A`."
