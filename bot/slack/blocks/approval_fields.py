"""What a form says of approval before it is submitted, and the fields that go with it: the reason, and breaking the glass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slack_sdk.models.blocks import (
    CheckboxesElement,
    InputBlock,
    MarkdownTextObject,
    Option,
    PlainTextInputElement,
    PlainTextObject,
    SectionBlock,
)

from bot.domain.approvals import REASON_LIMIT
from bot.domain.durations import in_words
from bot.domain.inputs import Input, as_text
from bot.domain.policy import Grant
from bot.slack.blocks.approval_words import quorums_text
from bot.slack.blocks.text import SECTION, code, cut, escape
from bot.slack.ids import Action

REASON, GLASS = "approval:reason", "approval:glass"  # block ids
SHOWN = 5  # rules


def approval_notes(asks: Sequence[Grant], inputs: Sequence[Input]) -> list[SectionBlock]:
    """Whose approval is needed, and for which values."""
    if not asks:
        return []
    titles = {field.name: field.title for field in inputs}
    lines = [_line(grant, titles) for grant in asks[:SHOWN]]
    if len(asks) > SHOWN:
        lines.append(f"… and {len(asks) - SHOWN} more rules ask for approval.")
    return [SectionBlock(block_id="approval", text=MarkdownTextObject(text=cut("\n".join(lines), SECTION)))]


@dataclass(frozen=True, slots=True)
class Pleading:
    """What the requester has typed for those who approve."""

    reason: str = ""
    break_glass: bool = False


def approval_fields(asks: Sequence[Grant], typed: Pleading) -> list[InputBlock]:
    """Why, for the approvers; and, where a rule allows it, to start at once and be reviewed afterwards."""
    if not asks:
        return []
    reason = PlainTextInputElement(
        action_id=Action.APPROVAL_REASON,
        multiline=True,
        max_length=REASON_LIMIT,
        initial_value=typed.reason[:REASON_LIMIT] or None,
    )
    hint = "Those who approve see it, and the audit trail keeps it. Needed where approval is."
    fields = [InputBlock(block_id=REASON, label="Reason", element=reason, optional=True, hint=hint)]
    if any(grant.approval is not None and grant.approval.break_glass for grant in asks):
        words = "Break the glass: start at once"
        about = "For emergencies. Every approver is alerted, and one has to review it."
        option = Option(value="yes", text=PlainTextObject(text=words), description=PlainTextObject(text=cut(about, 75)))
        chosen = [option] if typed.break_glass else None
        box = CheckboxesElement(action_id=Action.BREAK_GLASS, options=[option], initial_options=chosen)
        fields.append(InputBlock(block_id=GLASS, label="Can't wait?", element=box, optional=True))
    return fields


def _line(grant: Grant, titles: Mapping[str, str]) -> str:
    asked = grant.approval
    if asked is None:
        return ""
    values = [
        f"*{escape(cut(titles.get(name, name), 75))}* {' or '.join(code(cut(as_text(value), 75)) for value in wanted[:10])}"
        for name, wanted in grant.when.items()
    ]
    when = f"With {' and '.join(values)} this needs" if values else "This needs"
    return f":raised_hand: {when} approval by {quorums_text(asked.quorums)}, within {in_words(asked.expires)}."
