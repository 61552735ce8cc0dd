"""From a decision or an error to words that say what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.inputs import as_text
from bot.domain.policy import Decision, Reason
from bot.slack.blocks.approval_words import quorums_text
from bot.slack.blocks.text import channel, code, escape, moment, person, sentence_list


def refusal(workflow: str, decision: Decision, admins: Sequence[str]) -> str:
    """Why somebody may not run a workflow now, and whom to ask or when to come back. mrkdwn."""
    last = "" if decision.reason in OBSTACLES else f"{whom_to_ask(admins)} "
    return f":no_entry: {sentence(workflow, decision)}\n{last}Nothing was started."


def sentence(workflow: str, decision: Decision) -> str:
    """The decision as a sentence, the same wherever it is given: the rule that decided, in words. mrkdwn."""
    name, rule = code(workflow), _rule(decision)
    match decision.reason:
        case Reason.NOT_IN_THIS_CHANNEL:
            places = sentence_list([channel(place) for place in decision.channels[:5]])
            return f"You may run {name}, but not in this channel. Use it in {places}: {rule}."
        case Reason.NOT_WITH_THESE_VALUES:
            allowed = [
                f"{code(field)} as {sentence_list([code(as_text(value)) for value in values[:10]])}"
                for field, values in decision.when.items()
            ]
            which = f"Rule {decision.rule}" if decision.rule else "A grant"
            return f"You may run {name}, but not with these values. {which} allows {' and '.join(allowed)}."
        case reason if reason in OBSTACLES:
            return f"{OBSTACLES[reason].format(name=name)}: {escape(decision.words)}. {_come_back(decision)}"
        case reason:
            text = _SENTENCES.get(reason, "No rule lets you run {name} here.")
            return text.format(name=name, rule=rule, approvers=approvers_text(decision))


_SENTENCES = {
    Reason.ALLOWED_BY_RULE: "You may run {name} here: {rule}.",
    Reason.NEEDS_APPROVAL: "You may run {name} here after approval by {approvers}: {rule}.",
    Reason.NO_BREAK_GLASS: "{name} needs approval by {approvers}, and can't be started without: {rule}.",
    Reason.DENIED_BY_RULE: "You may not run {name} here: {rule}.",
    Reason.NOT_IN_CATALOGUE: "There is no workflow called {name} in the catalogue.",
    Reason.NOT_A_MEMBER: "Workflows can be run by full members of this workspace only.",
}


def approvers_text(decision: Decision) -> str:
    """Who has to approve, by the policy's names and as people: `2 of managers (@Bob, @Cara)`. mrkdwn."""
    return quorums_text(decision.approval.quorums) if decision.approval else ""


OBSTACLES = {
    Reason.UNFIT: "{name} has changed in Datadog and no longer fits the policy",
    Reason.FROZEN: "{name} is frozen",
    Reason.LOCKED: "{name} is locked",
    Reason.AT_ONCE: "{name} is running as often as it may at once",
    Reason.COOL_DOWN: "{name} has just been run and cools down",
    Reason.PER_PERSON: "You have run {name} as often as you may",
}


def _rule(decision: Decision) -> str:
    words = code(decision.words) if decision.words else ""
    if decision.rule:
        return f"rule {decision.rule} of the policy says {words}" if words else f"rule {decision.rule} of the policy"
    return f"a grant says {words}"


def _come_back(decision: Decision) -> str:
    if decision.reason is Reason.UNFIT:
        return "The policy has to be applied anew before it runs again."
    if decision.free_at is not None:
        return f"Come back after {moment(decision.free_at)}."
    return "Come back when that is over."


def in_the_way(workflow: str, obstacle: Decision | None) -> str:
    """What a form says at its top where the workflow would not start just now. mrkdwn."""
    return f"Just now it would not start. {sentence(workflow, obstacle)}" if obstacle else ""


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


def slack_away(request_id: str) -> str:
    """For something that Slack gave no answer to, or one of a server in trouble. mrkdwn."""
    return (
        ":warning: Slack did not answer the bot. Look into your history whether a run was started before you try again; if"
        f" it happens again, give this number to whoever runs the bot: {code(request_id)}"
    )


def unexpected(request_id: str) -> str:
    """For a failure that nobody foresaw. mrkdwn."""
    return (
        ":warning: Something went wrong in the bot, and it is not your doing. Look into your history whether a run"
        f" was started before you try again, and give this number to whoever runs the bot: `{request_id}`."
    )
