"""Opens a modal while its trigger is alive (3 seconds, once): at once where the content is ready, else as "loading" first."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.domain.errors import WorkflowBotError
from bot.slack.blocks.modals import loading, notice
from bot.slack.blocks.text import escape
from bot.slack.directory import UNREACHABLE
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context

# Content that is ready this soon needs no "loading" before it: nobody minds the wait, and the trigger has time for either.
SOON = 0.8  # seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """Words instead of a modal: a private answer where none is open yet. mrkdwn."""

    title: str
    words: str


Content = dict[str, Any] | Said | None


async def open_modal(context: Context, incoming: Incoming, content: Awaitable[Content]) -> None:
    """Show what `content` comes to: a view, words, or nothing."""
    task = asyncio.ensure_future(content)
    await asyncio.wait({task}, timeout=SOON)
    if task.done():
        await _first(context, incoming, task.result())
        return
    try:
        view_id = await _open(context, incoming, loading(), tell=False)
    except (SlackApiError, *UNREACHABLE) as error:
        # What was asked for goes on all the same, so the answer has to follow from what comes of it.
        log.warning("no window could be opened: %s", type(error).__name__)
        view_id = None
    result = await _result(task)
    if (
        view_id is None
    ):  # what is told now depends on what came of it: "type it again" after a start would start it twice
        await _first(context, incoming, result)
    elif result is None:
        result = Said(
            "Done", ":white_check_mark: Your run has been taken; its message in the channel shows how it goes."
        )
    if view_id is not None and result is not None:
        await context.voice.update(view_id, notice(result.title, result.words) if isinstance(result, Said) else result)


async def replace_modal(context: Context, incoming: Incoming, content: Awaitable[Content]) -> None:
    """The same in a view that is open already."""
    task = asyncio.ensure_future(content)
    await asyncio.wait({task}, timeout=SOON)
    view_id = str(incoming.view["id"])
    if not task.done():
        with contextlib.suppress(SlackApiError, *UNREACHABLE):  # only a sign that it takes a moment
            await context.voice.update(view_id, loading())
    result = await _result(task)
    if result is not None:
        await context.voice.update(view_id, notice(result.title, result.words) if isinstance(result, Said) else result)


async def _first(context: Context, incoming: Incoming, result: Content) -> None:
    if isinstance(result, Said):
        await context.voice.tell(incoming, result.title, result.words)
    elif result is not None:
        await _open(context, incoming, result)


async def _open(context: Context, incoming: Incoming, view: dict[str, Any], *, tell: bool = True) -> str | None:
    """Open the view. Where its trigger is over, say so: the person only has to type the command again."""
    try:
        answer = await context.client.views_open(trigger_id=incoming.trigger_id, view=view)
    except SlackApiError as error:
        reason = str(error.response.get("error"))
        if "trigger" not in reason:
            raise
        log.warning("a modal could not be opened: %s", reason)
        if not tell or "exchanged" in reason:  # exchanged: the same command came twice, and the first has the window
            return None
        words = f":hourglass: That took too long for Slack to open a window. Please type {context.command} again."
        await context.voice.tell(incoming, "Too slow", words)
        return None
    return str(answer["view"]["id"])


async def _result(task: asyncio.Future[Content]) -> Content:
    """What came of it; an expected error as words, since a view is waiting for them."""
    try:
        return await task
    except WorkflowBotError as error:
        return Said("Nothing was done", f":warning: {escape(str(error))}")
