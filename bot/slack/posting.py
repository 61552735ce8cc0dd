"""Puts messages into Slack and notes where they stand, and knows which refusals are about the place and not the moment."""

from __future__ import annotations

from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.use_cases.ports import Message, Store

# The place can't be posted in, whoever asks (Slack docs: chat.postMessage, errors): the requester is told directly.
CLOSED_TO_US = frozenset({"not_in_channel", "channel_not_found", "is_archived", "no_permission"})
# The message can't be edited any more (Slack docs: chat.update, errors): what is new is told in its thread.
NOT_EDITABLE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})


class Posting:
    """One workspace's messages."""

    def __init__(self, store: Store, client: AsyncWebClient) -> None:
        self.store = store
        self.client = client

    async def send(
        self, channel_id: str, text: str, blocks: list[dict[str, Any]] | None, thread_ts: str | None = None
    ) -> tuple[str, str]:
        """Post. Returns where it stands: for a person's id that is the conversation with them."""
        answer = await self.client.chat_postMessage(
            channel=channel_id, text=text, blocks=blocks, thread_ts=thread_ts, unfurl_links=False, unfurl_media=False
        )
        return str(answer["channel"]), str(answer["ts"])

    async def edit(self, place: str, ts: str, text: str, blocks: list[dict[str, Any]]) -> None:
        """Bring a message up to date; where it can't be edited any more, say it in its thread."""
        try:
            await self.client.chat_update(channel=place, ts=ts, text=text, blocks=blocks)
        except SlackApiError as error:
            if error.response.get("error") not in NOT_EDITABLE:
                raise
            await self.send(place, text, blocks, thread_ts=ts)

    async def told(self, message: Message, posted_in: str, ts: str, *, whole: bool = True) -> bool:
        """Note where it stands. False where another replica has told it meanwhile."""
        return await self.store.write(lambda tx: tx.message_told(message, posted_in, ts, whole=whole))


def is_closed(error: SlackApiError) -> bool:
    """Whether the place can't be posted in at all."""
    reason = str(error.response.get("error"))
    return reason in CLOSED_TO_US or reason.startswith("restricted_action")
