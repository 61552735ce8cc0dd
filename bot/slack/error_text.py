"""From a decision or an error to words that say what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.inputs import as_text
from bot.domain.policy import Decision, Reason
from bot.slack.blocks.text import channel, code, person, sentence_list


def refusal(workflow: str, decision: Decision, admins: Sequence[str]) -> str:
    """Why somebody may not run a workflow, and whom to ask. mrkdwn."""
    name = code(workflow)
    match decision.reason:
        case Reason.DENIED_BY_RULE:
            why = f"You may not run {name} here: rule {decision.rule} of the policy denies it."
        case Reason.NOT_IN_THIS_CHANNEL:
            places = sentence_list([channel(place) for place in decision.channels[:5]])
            why = f"You may run {name}, but not in this channel. Use it in {places}."
        case Reason.NOT_WITH_THESE_VALUES:
            allowed = [
                f"{code(field)} as {sentence_list([code(as_text(value)) for value in values[:10]])}"
                for field, values in decision.when.items()
            ]
            why = f"You may run {name}, but not with these values. Rule {decision.rule} allows {' and '.join(allowed)}."
        case Reason.NOT_IN_CATALOGUE:
            why = f"There is no workflow called {name} in the catalogue."
        case Reason.NOT_A_MEMBER:
            why = "Workflows can be run by full members of this workspace only."
        case _:
            why = f"No rule lets you run {name} here."
    return f":no_entry: {why}\n{whom_to_ask(admins)} Nothing was started."


def nothing_here(admins: Sequence[str]) -> str:
    """For a person who may run nothing in the channel. mrkdwn."""
    return f":information_source: There is no workflow that you may run in this channel. {whom_to_ask(admins)}"


def whom_to_ask(admins: Sequence[str]) -> str:
    """A sentence naming who can change the rules. mrkdwn."""
    if not admins:
        return "Ask whoever keeps the bot's policy file to change that."
    return f"Ask {sentence_list([person(admin) for admin in admins[:5]])} to change that."


def slack_refused(reason: str, request_id: str) -> str:
    """For something that Slack would not take from the bot. mrkdwn."""
    if reason in ("view_too_large", "invalid_arguments", "msg_too_long", "msg_blocks_too_long"):
        return (
            f":warning: This is more than Slack can show ({code(reason)}). Nothing was started. Run the workflow with"
            f" `run NAME key=value …` instead, or ask for a shorter form, with this number: {code(request_id)}"
        )
    return (
        f":warning: Slack refused what the bot wanted to do ({code(reason)}). Try again in a moment; if it happens again,"
        f" give this number to whoever runs the bot: {code(request_id)}"
    )


def unexpected(request_id: str) -> str:
    """For a failure that nobody foresaw. mrkdwn."""
    return (
        ":warning: Something went wrong in the bot, and it is not your doing. Look into your history whether a run"
        f" was started before you try again, and give this number to whoever runs the bot: `{request_id}`."
    )
