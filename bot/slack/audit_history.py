"""Reads the audit channel back: what it was told of each record, as only Slack still knows it.

The bot's own scopes don't allow it, as nothing else needs them: whoever verifies grants `channels:history`, or
`groups:history` for a private channel, for the time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import Refused, SlackUnavailable
from bot.domain.findings import Attestation
from bot.slack.blocks.audit_post import SHOWN_HASH
from bot.slack.directory import UNREACHABLE
from bot.slack.witness import retry_after

PAGE = 200  # messages (Slack docs: conversations.history, limit)
NUMBER = re.compile(r"\*#(\d+) ")
HASH = re.compile(rf"`([0-9a-f]{{{SHOWN_HASH}}})` ")


async def read_history(client: AsyncWebClient, channel_id: str) -> list[Attestation]:
    """What the bot's own posts in the channel say. Raises Refused, with what to do, and SlackUnavailable."""
    try:
        bot_id = (await client.auth_test())["bot_id"]
        found: list[Attestation] = []
        cursor = ""
        while True:
            page = await _page(client, channel_id, cursor)
            found += [one for message in page["messages"] if message.get("bot_id") == bot_id for one in _said(message)]
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return found
    except SlackApiError as error:
        raise _refusal(error, channel_id) from None
    except UNREACHABLE as error:
        raise SlackUnavailable("Slack could not be reached, so the audit channel was not read.") from error


async def _page(client: AsyncWebClient, channel_id: str, cursor: str) -> Any:
    while True:
        try:
            return await client.conversations_history(channel=channel_id, limit=PAGE, cursor=cursor or None)
        except SlackApiError as error:
            wait = retry_after(error)
            if wait is None:
                raise
            await asyncio.sleep(wait)


def _said(message: dict[str, Any]) -> Iterator[Attestation]:
    for block in message.get("blocks") or []:
        lines = str((block.get("text") or {}).get("text") or "").split("\n")
        number, digits = NUMBER.match(lines[0]), HASH.match(lines[-1])
        if number and digits:
            yield Attestation(int(number[1]), digits[1], "The audit channel")


def _refusal(error: SlackApiError, channel_id: str) -> Refused:
    reason = str(error.response.get("error"))
    if reason == "missing_scope":
        needed = str(error.response.get("needed") or "channels:history, or groups:history for a private channel")
        return Refused(
            f"The bot's token may not read the audit channel: it lacks the scope {needed}. Add it at OAuth & Permissions"
            " and install the app again, for the time; or copy a record's number and digits from the channel: --head SEQ:HASH."
        )
    if reason in ("not_in_channel", "channel_not_found"):
        return Refused(
            f"The audit channel {channel_id} can't be read ({reason}). Check AUDIT_CHANNEL and invite the bot."
        )
    return Refused(f"Slack does not let the audit channel be read ({reason}).")
