"""The modal in which admins take a workflow of Datadog's into the policy file: a search, and the entry to be pasted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ContextBlock,
    ExternalDataSelectElement,
    MarkdownTextObject,
    Option,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.models.views import View as SlackView

from bot.domain.workflows import WorkflowDefinition
from bot.slack.blocks.text import OPTION, SECTION, cut, escape
from bot.slack.ids import Action, View


def import_modal(definition: WorkflowDefinition | None = None, entry: str = "") -> dict[str, Any]:
    """The search and, once a workflow was chosen, its entry and what keeps it from being run."""
    words = "*Which workflow of Datadog's shall join the policy file?*"
    select = ExternalDataSelectElement(
        action_id=Action.PICK_DATADOG, placeholder="Type a part of its name", min_query_length=0
    )
    blocks: list[Block] = [
        SectionBlock(text=MarkdownTextObject(text=words)),
        ActionsBlock(block_id="import", elements=[select]),
    ]
    if definition is not None:
        if definition.obstacles:
            why = f":warning: It can't be run yet: {escape('; '.join(definition.obstacles))}."
            blocks.append(SectionBlock(text=MarkdownTextObject(text=cut(why, SECTION))))
        # The fence is added after cutting, so that a long entry doesn't lose its end.
        shown = cut(escape(entry).replace("```", "'''"), SECTION - 10)
        blocks.append(SectionBlock(text=MarkdownTextObject(text=f"```{shown}```")))
        paste = (
            "Paste this below `workflows:` in the policy file, add a rule for it, and apply it: nobody may run it before."
            " `workflow-bot workflows import` writes it for you."
        )
        blocks.append(ContextBlock(elements=[MarkdownTextObject(text=paste)]))
    view = SlackView(
        type="modal",
        callback_id=View.IMPORT,
        title=PlainTextObject(text="Import a workflow"),
        close=PlainTextObject(text="Close"),
        blocks=blocks,
    )
    rendered: dict[str, Any] = view.to_dict()
    return rendered


def datadog_options(definitions: Sequence[WorkflowDefinition]) -> list[dict[str, Any]]:
    """Workflows of Datadog's to choose from, with why one can't be run by API."""
    return [
        Option(
            value=one.id,
            text=PlainTextObject(text=cut(one.name or one.id, OPTION)),
            description=PlainTextObject(text=cut("; ".join(one.obstacles), OPTION)) if one.obstacles else None,
        ).to_dict()
        for one in definitions[:100]
    ]
