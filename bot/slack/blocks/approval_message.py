"""What approvers are shown: who asks, why, every input exactly, what is still needed; in the end who decided and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextBlock,
    InteractiveElement,
    MarkdownTextObject,
)

from bot.domain.approvals import ApprovalState, Standing
from bot.domain.runs import Run, State
from bot.slack.blocks.approval_words import ASKED, quorums_text, reviewers_text
from bot.slack.blocks.exact_inputs import exact_inputs, size_of
from bot.slack.blocks.review_modal import ReviewMemory, headline, said_and_needed, section, why_asked
from bot.slack.blocks.run_words import begun_words, state_words
from bot.slack.blocks.text import code, cut, escape, moment, person
from bot.slack.ids import Action

Rendered = tuple[str, list[dict[str, Any]]]

# Slack takes 50 blocks in a message, and about 13,000 characters of them; the buttons need a thousand.
MOST_INPUTS = 40
LIMIT = 12_000
SHOWN_HASH = 12


def approval_message(run: Run, standing: Standing) -> Rendered:
    """The text for notifications and the blocks."""
    approval = standing.approval
    above: list[Block] = [section(headline(run, standing)), why_asked(approval.reason)]
    inputs = exact_inputs(run)
    below = [*said_and_needed(standing), *(section(text) for text in (became_text(run, standing),) if text)]
    facts = ContextBlock(elements=[MarkdownTextObject(text=facts_text(run, standing))])
    room = LIMIT - size_of([*above, *below, facts])
    whole = len(inputs) <= MOST_INPUTS and size_of(inputs) <= room
    if not whole:
        inputs = [section("The inputs are too long for a message. *See them all* before you decide.")]
    blocks = [*above, *inputs, *below]
    buttons = _buttons(run, standing, whole=whole)
    if buttons:
        blocks.append(ActionsBlock(block_id=f"review:{run.id}", elements=buttons))
    blocks.append(facts)
    return _notification(run, standing), [block.to_dict() for block in blocks]


def reminder(run: Run, standing: Standing) -> str:
    """The word to those who haven't answered, in the thread of what they were asked. mrkdwn."""
    approval = standing.approval
    title = escape(cut(run.title, 150))
    until = moment(approval.expires_at)
    if approval.state is ApprovalState.REVIEW_OPEN:
        who = reviewers_text(approval.quorums, ASKED)
        return f":bell: *{title}* {begun_words(run)} without approval and still has to be reviewed, by {who}, until {until}."
    answered = {review.user_id for review in standing.reviews}
    left = [replace(one, subjects=tuple(who for who in one.subjects if who not in answered)) for one in standing.needed]
    return f":bell: {person(run.user_id)} still waits for an answer on *{title}*, until {until}: {quorums_text(left, ASKED)}"


def became_text(run: Run, standing: Standing) -> str:
    """What became of the run. mrkdwn."""
    approval = standing.approval
    if approval.state is ApprovalState.WITHDRAWN and run.cancel_by:
        return f"Withdrawn by {person(run.cancel_by)} {moment(approval.decided_at or approval.asked_at)}."
    if approval.state in (ApprovalState.APPROVED, ApprovalState.REVIEW_OPEN, ApprovalState.REVIEWED):
        error = f" {escape(cut(run.error, 500))}" if run.error and run.state is State.NOT_STARTED else ""
        return f"The run: {state_words(run)}.{error}"
    return ""


def facts_text(run: Run, standing: Standing) -> str:
    """What an approval is bound to, in small print. mrkdwn."""
    facts = [
        f"Run {code(run.id)}",
        code(run.workflow),
        f"definition {code(run.definition_hash[:SHOWN_HASH])}",
        f"rule {standing.approval.rule}, policy version {run.policy_version}",
        f"bound to {code(run.bound_to[:SHOWN_HASH])}",
    ]
    return " · ".join(facts)


def _notification(run: Run, standing: Standing) -> str:
    title = escape(cut(run.title, 150))
    match standing.approval.state:
        case ApprovalState.WAITING:
            return f"{person(run.user_id)} asks to run {title}: approve or refuse"
        case ApprovalState.REVIEW_OPEN:
            return f"{person(run.user_id)} broke the glass: {title} {begun_words(run)} without approval: review it"
        case state:
            return f"{title} for {person(run.user_id)}: {state.value}"


def _buttons(run: Run, standing: Standing, *, whole: bool) -> list[InteractiveElement]:
    approval = standing.approval
    decide = ReviewMemory(run.id, approval.bound_to)
    if approval.state is ApprovalState.WAITING:
        if not whole:
            return [_button("See all and decide…", Action.REVIEW, decide, "primary")]
        yes = Action.REVIEW if approval.requirement.step_up else Action.APPROVE
        return [
            _button("Approve", yes, decide, "primary"),
            _button("Refuse…", Action.REVIEW_REFUSE, decide, "danger"),
            _button("Comment…", Action.REVIEW_COMMENT, decide, None),
        ]
    if approval.state is ApprovalState.REVIEW_OPEN:
        yes = Action.REVIEW if approval.requirement.step_up or not whole else Action.APPROVE
        return [_button("Sign off", yes, decide, "primary"), _button("Comment…", Action.REVIEW_COMMENT, decide, None)]
    return []


def _button(text: str, action: Action, memory: ReviewMemory, style: str | None) -> ButtonElement:
    return ButtonElement(text=text, action_id=action, value=memory.dump(), style=style)
