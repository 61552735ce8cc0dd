"""The modal in which admins give grants beside the policy file, and take them back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from slack_sdk.models.blocks import (
    Block,
    ButtonElement,
    ConfirmObject,
    ContextBlock,
    ConversationFilter,
    ConversationSelectElement,
    DatePickerElement,
    DividerBlock,
    ExternalDataSelectElement,
    InputBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
    UserSelectElement,
)
from slack_sdk.models.views import View as SlackView

from bot.domain.plan import effect
from bot.domain.policy import Grant
from bot.slack.blocks.text import cut, escape, moment
from bot.slack.ids import Action, View

SHOWN = 40  # a modal holds 100 blocks; the command line lists all
PERSON, WORKFLOW, CHANNEL, UNTIL = "grant:person", "grant:workflow", "grant:channel", "grant:until"


def grants_modal(grants: Sequence[Grant], channel_id: str, form: int = 0) -> dict[str, Any]:
    """The grants that people gave, each with a button to take it back, and a form for a new one.

    `form` is how many were given in this window: Slack keeps what was typed as long as a field has the same id (Slack docs:
    surfaces/modals), so each grant has fields of its own.
    """
    blocks: list[Block] = [
        SectionBlock(text=MarkdownTextObject(text="*Give a grant*")),
        *_fields(form),
        DividerBlock(),
        SectionBlock(text=MarkdownTextObject(text=f"*Grants given so far*: {len(grants) or 'none'}")),
        *(_given(grant) for grant in grants[:SHOWN]),
    ]
    if len(grants) > SHOWN:
        more = f"… and {len(grants) - SHOWN} more: `workflow-bot grants list`"
        blocks.append(ContextBlock(elements=[MarkdownTextObject(text=more)]))
    view = SlackView(
        type="modal",
        callback_id=View.GRANTS,
        title=PlainTextObject(text="Grants"),
        submit=PlainTextObject(text="Give it"),
        close=PlainTextObject(text="Close"),
        blocks=blocks,
        private_metadata=json.dumps({"c": channel_id, "f": form}),
    )
    rendered: dict[str, Any] = view.to_dict()
    return rendered


def field_id(name: str, form: int) -> str:
    """The block id of a field."""
    return f"{name}:{form}"


def _fields(form: int) -> list[InputBlock]:
    """Who, what, where and how long."""
    select = Action.GRANT_FIELD
    return [
        InputBlock(
            block_id=field_id(PERSON, form),
            label="Who",
            element=UserSelectElement(action_id=select, placeholder="A person"),
        ),
        InputBlock(
            block_id=field_id(WORKFLOW, form),
            label="May run",
            element=ExternalDataSelectElement(
                action_id=Action.PICK_WORKFLOW, placeholder="A workflow", min_query_length=0
            ),
        ),
        InputBlock(
            block_id=field_id(CHANNEL, form),
            label="Where",
            optional=True,
            hint="Empty means in every channel.",
            element=ConversationSelectElement(
                action_id=select,
                placeholder="A channel",
                filter=ConversationFilter(include=["public", "private"], exclude_external_shared_channels=True),
            ),
        ),
        InputBlock(
            block_id=field_id(UNTIL, form),
            label="Until the end of",
            optional=True,
            hint="Empty means until it is taken back. Days end at midnight UTC.",
            element=DatePickerElement(action_id=select, placeholder="A day"),
        ),
    ]


def _given(grant: Grant) -> SectionBlock:
    ends = f", until {moment(grant.until)}" if grant.until else ""
    confirm = ConfirmObject(title="Take it back?", text="It ends at once.", confirm="Take it back", deny="Keep it")
    return SectionBlock(
        block_id=f"grant:given:{grant.id}",
        text=MarkdownTextObject(text=f"{escape(cut(effect(grant, gained=True), 500))}{ends}"),
        accessory=ButtonElement(text="Take back", action_id=Action.TAKE_BACK, value=str(grant.id), confirm=confirm),
    )
