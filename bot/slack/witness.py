"""The audit channel: a witness outside the database. Each record is posted once, in order, with its number and hash."""

from __future__ import annotations

import logging
from datetime import timedelta

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.blocks.audit_post import TOGETHER, audit_post
from bot.slack.directory import UNREACHABLE
from bot.use_cases.ports import Store, Writing

LEASE = timedelta(seconds=60)
REFUSED_PAUSE = 30.0  # seconds before a channel that refuses us is tried again
UNREACHED_PAUSE = 10.0

log = logging.getLogger(__name__)


class Witness:
    """Tells one channel of every record. A lease lets one replica tell at a time, so that the order is the trail's."""

    def __init__(self, store: Store, client: AsyncWebClient, channel_id: str) -> None:
        self._store = store
        self._client = client
        self._channel_id = channel_id

    async def tell(self) -> None:
        """Post the records that the channel hasn't been told of. Raises NotRecorded."""
        claim = await self._store.write(lambda tx: tx.claim_audit_posts(tx.now + LEASE))
        if claim is None:
            return
        told, token = claim
        while records := await self._store.read(lambda tx, after=told: tx.records(after, TOGETHER)):  # type: ignore[misc]  # mypy can't type a lambda's default
            error, pause = None, 0.0
            try:
                text, blocks = audit_post(records)
                await self._client.chat_postMessage(
                    channel=self._channel_id, text=text, blocks=blocks, unfurl_links=False, unfurl_media=False
                )
                told = records[-1].seq
            except SlackApiError as refused:
                error, pause = str(refused.response.get("error")), retry_after(refused) or REFUSED_PAUSE
            except UNREACHABLE as unreachable:
                error, pause = type(unreachable).__name__, UNREACHED_PAUSE
            # Noted after each post: a crash then repeats one message at the most.
            if not await self._note(token, told, pause if error else LEASE.total_seconds(), error):
                return
            if error:
                log.error("the audit channel %s was not told of records after %d: %s", self._channel_id, told, error)
                return
        await self._note(token, told, None, None)

    async def _note(self, token: int, told: int, held: float | None, error: str | None) -> bool:
        def work(tx: Writing) -> bool:
            held_until = None if held is None else tx.now + timedelta(seconds=held)
            return tx.audit_posts_told(token, told, held_until, error)

        return await self._store.write(work)


def retry_after(error: SlackApiError) -> float | None:
    """Seconds that Slack asks to wait, where it says so (Slack docs: apis/web-api/rate-limits)."""
    headers = {key.lower(): value for key, value in (error.response.headers or {}).items()}
    try:
        return max(1.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None
