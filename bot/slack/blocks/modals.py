"""The modals that are not a form: the picker, and notices (loading, refused, started)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from slack_sdk.models.blocks import (
    ActionsBlock,
    ContextBlock,
    ExternalDataSelectElement,
    MarkdownTextObject,
    Option,
    PlainTextObject,
    SectionBlock,
    StaticSelectElement,
)
from slack_sdk.models.views import View as SlackView

from bot.domain.catalogue import Listing
from bot.slack.blocks.text import OPTION, SECTION, TITLE, cut
from bot.slack.ids import Action, View

STATIC_OPTIONS = 100  # more than this and the select asks the bot for options as the person types


def notice(title: str, text: str, *, close: str = "Close") -> dict[str, object]:
    """A modal that only says something. `text` is mrkdwn, already escaped."""
    return _modal(View.NOTICE, title, [SectionBlock(text=MarkdownTextObject(text=cut(text, SECTION)))], close=close)


def loading() -> dict[str, object]:
    """Opened at once where something may take longer than Slack waits."""
    return notice("One moment", ":hourglass_flowing_sand: Looking that up…")


def recording() -> dict[str, object]:
    """Shown when writing a request down takes longer than Slack waits for the form."""
    return notice(
        "One moment",
        ":hourglass_flowing_sand: Writing your request down takes longer than usual. Nothing has been started yet;"
        " this window tells how it ends.",
    )


def picker(entries: Sequence[Listing], channel_id: str) -> dict[str, object]:
    """The searchable list of what the person may run in the channel."""
    if len(entries) <= STATIC_OPTIONS:
        select: StaticSelectElement | ExternalDataSelectElement = StaticSelectElement(
            action_id=Action.PICK_WORKFLOW,
            placeholder="Search or choose a workflow",
            options=[workflow_option(entry, several=several_accounts(entries)) for entry in entries],
        )
        words = "1 workflow" if len(entries) == 1 else f"{len(entries)} workflows"
    else:
        select = ExternalDataSelectElement(
            action_id=Action.PICK_WORKFLOW, placeholder="Type a part of its name", min_query_length=0
        )
        words = "Many workflows: type to search"
    blocks = [
        SectionBlock(text=MarkdownTextObject(text="*Which workflow do you want to run?*")),
        ActionsBlock(block_id="picker", elements=[select]),
        ContextBlock(elements=[MarkdownTextObject(text=f"{words} that you may run here.")]),
    ]
    return _modal(View.PICKER, "Run a workflow", blocks, close="Cancel", metadata={"c": channel_id})


def several_accounts(entries: Sequence[Listing]) -> bool:
    """Whether the workflows are in more than one Datadog account, so that each has to say in which."""
    return len({entry.account for entry in entries}) > 1


def workflow_option(entry: Listing, *, several: bool = False) -> Option:
    """One workflow in the picker; with its account where there are several."""
    description = PlainTextObject(text=cut(entry.description, OPTION)) if entry.description else None
    title = f"{entry.account}: {entry.title}" if several else entry.title
    return Option(value=entry.name, text=PlainTextObject(text=cut(title, OPTION)), description=description)


def _modal(
    callback: View, title: str, blocks: Sequence[object], *, close: str, metadata: dict[str, str] | None = None
) -> dict[str, object]:
    view = SlackView(
        type="modal",
        callback_id=callback,
        title=PlainTextObject(text=cut(title, TITLE)),
        close=PlainTextObject(text=close),
        blocks=blocks,  # type: ignore[arg-type]  # slack_sdk wants list[Block]
        private_metadata=json.dumps(metadata or {}),
    )
    rendered: dict[str, object] = view.to_dict()
    return rendered
