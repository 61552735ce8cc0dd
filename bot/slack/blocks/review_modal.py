"""The window in which an approver decides: everything that would run, the decision, a comment, and a one-time code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from slack_sdk.models.blocks import (
    Block,
    InputBlock,
    MarkdownTextObject,
    Option,
    PlainTextInputElement,
    PlainTextObject,
    RadioButtonsElement,
    SectionBlock,
)
from slack_sdk.models.views import View as SlackView

from bot.domain.approvals import REASON_LIMIT, ApprovalState, Standing
from bot.domain.runs import Run
from bot.slack.blocks.approval_words import ASKED, answers, quorums_text, reviewers_text
from bot.slack.blocks.exact_inputs import exact_inputs
from bot.slack.blocks.run_words import begun_words
from bot.slack.blocks.text import SECTION, channel, cut, escape, moment, person, quoted
from bot.slack.ids import Action, View

DECISION, COMMENT, CODE = "review:decision", "review:comment", "review:code"  # block ids
APPROVE, REFUSE = "approve", "refuse"  # values of the decision
RUN_ID, HASH = re.compile(r"R-[0-9A-Z]{10}"), re.compile(r"[0-9a-f]{64}")
SHOWN_REASON, SHOWN_ANSWERS = 2000, 2500  # characters of mrkdwn
INPUTS_LIMIT = 220_000  # bytes of JSON


@dataclass(frozen=True, slots=True)
class ReviewMemory:
    """Which run, and the hash of what the person was shown: only names, everything is checked again at the press."""

    run_id: str
    bound_to: str

    def dump(self) -> str:
        return json.dumps({"r": self.run_id, "h": self.bound_to})

    @classmethod
    def load(cls, text: str) -> ReviewMemory:
        """Raises ValueError for anything that `dump` did not write, RecursionError for JSON nested too deeply."""
        data = json.loads(text)
        if not isinstance(data, dict) or not (
            RUN_ID.fullmatch(str(data.get("r"))) and HASH.fullmatch(str(data.get("h")))
        ):
            raise ValueError("not a review's memory")
        return cls(data["r"], data["h"])


def review_modal(run: Run, standing: Standing, *, approves: bool, comment: str = "") -> dict[str, Any]:
    """The window, with one of the decisions chosen, and a comment that was typed before."""
    view = SlackView(
        type="modal",
        callback_id=View.REVIEW,
        title=PlainTextObject(text="Review a run"),
        submit=PlainTextObject(text="Answer"),
        close=PlainTextObject(text="Cancel"),
        blocks=[*_shown(run, standing), *_fields(standing, approves, comment, may_approve=can_be_shown(run))],
        private_metadata=ReviewMemory(run.id, standing.approval.bound_to).dump(),
    )
    rendered: dict[str, Any] = view.to_dict()
    return rendered


def headline(run: Run, standing: Standing) -> str:
    """What is asked, or how it was decided. mrkdwn."""
    what = f"*{escape(cut(run.title, 150))}* in {channel(run.channel_id)}"
    who = person(run.user_id)
    match standing.approval.state:
        case ApprovalState.WAITING:
            return f":raised_hand: {who} asks to run {what}"
        case ApprovalState.APPROVED:
            return f":white_check_mark: *Approved*: {who} runs {what}"
        case ApprovalState.REFUSED:
            return f":no_entry: *Refused*: {who} asked to run {what}"
        case ApprovalState.EXPIRED:
            return f":hourglass: *Expired*: {who} asked to run {what}"
        case ApprovalState.WITHDRAWN:
            return f":no_entry_sign: *Withdrawn*: {who} asked to run {what}"
        case ApprovalState.REVIEW_OPEN:
            return f":rotating_light: {who} *broke the glass*: {what} {begun_words(run)} without approval"
        case ApprovalState.REVIEWED:
            return f":mag: *Reviewed*: {who} *broke the glass*: {what} {begun_words(run)} without approval"


def why_asked(reason: str) -> SectionBlock:
    """The requester's reason as a quotation."""
    return section(quoted(reason), SHOWN_REASON)


def said_and_needed(standing: Standing) -> list[Block]:
    """Who answered; and in a section of its own, which no comment can push out or be taken for, what is still needed."""
    approval = standing.approval
    until = moment(approval.expires_at)
    needed = {
        ApprovalState.WAITING: f"*Still needed*  {quorums_text(standing.needed, ASKED)}, until {until}",
        ApprovalState.REVIEW_OPEN: f"*To be reviewed by*  {reviewers_text(approval.quorums, ASKED)}, until {until}",
        ApprovalState.EXPIRED: f"Nobody decided before {until}.",
    }.get(approval.state, "")
    texts = [("\n".join(answers(standing)), SHOWN_ANSWERS), (needed, SECTION)]
    return [section(text, limit) for text, limit in texts if text]


def _shown(run: Run, standing: Standing) -> list[Block]:
    inputs = exact_inputs(run)
    if not can_be_shown(run):
        inputs = [section("The inputs are too long to be seen whole, even here. *They can only be refused.*")]
    return [
        section(headline(run, standing)),
        why_asked(standing.approval.reason),
        *inputs,
        *said_and_needed(standing),
    ]


def can_be_shown(run: Run) -> bool:
    """Whether a window holds all inputs (Slack takes 250,000 bytes of JSON)."""
    return len(json.dumps([block.to_dict() for block in exact_inputs(run)])) <= INPUTS_LIMIT


def _fields(standing: Standing, approves: bool, typed: str, *, may_approve: bool) -> list[InputBlock]:
    glass = standing.approval.state is ApprovalState.REVIEW_OPEN
    yes = Option(value=APPROVE, text=PlainTextObject(text="It was right" if glass else "Approve"))
    no = Option(value=REFUSE, text=PlainTextObject(text="It was not right" if glass else "Refuse"))
    options = [yes, no] if may_approve else [no]
    field = Action.REVIEW_FIELD
    radio = RadioButtonsElement(
        action_id=field, options=options, initial_option=yes if approves and may_approve else no
    )
    comment = PlainTextInputElement(
        action_id=field, multiline=True, max_length=REASON_LIMIT, initial_value=typed[:REASON_LIMIT] or None
    )
    fields = [
        InputBlock(block_id=DECISION, label="Your answer", element=radio),
        InputBlock(
            block_id=COMMENT,
            label="Comment",
            element=comment,
            optional=True,
            hint="The requester, the other approvers and the audit trail see it. A refusal needs one.",
        ),
    ]
    if standing.approval.requirement.step_up:
        code = PlainTextInputElement(action_id=field, max_length=10, placeholder="123456")
        hint = "Six digits from your authenticator app. Needed to approve."
        fields.append(InputBlock(block_id=CODE, label="One-time code", element=code, optional=True, hint=hint))
    return fields


def section(text: str, limit: int = SECTION) -> SectionBlock:
    """A section of mrkdwn, cut to the limit; at most 3,000 characters."""
    return SectionBlock(text=MarkdownTextObject(text=cut(text, limit)))
