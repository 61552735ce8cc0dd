"""Tells Slack what has happened: each run's live message, and the audit channel. What Slack refuses is tried again or kept.

The outbox says what is due; this file posts it. `ts` is stored right after posting, so a crash in between means at worst
a second message, never a lost one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import NotRecorded
from bot.domain.runs import Run
from bot.slack.blocks.audit_post import TOGETHER, audit_post
from bot.slack.blocks.run_message import run_message
from bot.slack.blocks.text import channel
from bot.slack.directory import UNREACHABLE
from bot.use_cases.ports import Message, Store, Writing

POLL = 1.0  # seconds between looks when nothing wakes us
LONGEST_PAUSE = 15.0  # seconds between looks while the database is away
LEASE = timedelta(seconds=60)
BATCH = 50
GIVE_UP_AFTER = 50  # attempts, about half a day

# The place can't be posted in, whoever asks (Slack docs: chat.postMessage, errors): the requester is told directly instead.
CLOSED_TO_US = frozenset({"not_in_channel", "channel_not_found", "is_archived", "restricted_action", "no_permission"})
# The message can't be edited any more (Slack docs: chat.update, errors): a new one is posted in its thread.
NOT_EDITABLE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})

log = logging.getLogger(__name__)


class Announcer:
    """Posts what the outbox holds. One in each process; a lease keeps two from posting the same."""

    def __init__(
        self, store: Store, client: AsyncWebClient, link: Callable[[Run], str | None], audit_channel: str
    ) -> None:
        self._store = store
        self._client = client
        self._link = link
        self._audit_channel = audit_channel
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look at the outbox now rather than at the next poll."""
        self._wake.set()

    async def announce(self, stopping: asyncio.Event) -> None:
        """Post what is due until `stopping` is set, and then once more. A database that is away is waited for."""
        pause = POLL
        while True:
            last = stopping.is_set()
            self._wake.clear()
            try:
                audit = bool(self._audit_channel)
                if await self._store.read(lambda tx, audit=audit: tx.messages_due(audit_channel=audit)):  # type: ignore[misc]  # mypy can't type a lambda's default
                    await self._post_due()
                pause = POLL
            except NotRecorded as error:
                log.error("can't look into the outbox, trying again in %.0f s: %s", pause, error)
                pause = min(LONGEST_PAUSE, pause * 2)
            if last:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)

    async def _post_due(self) -> None:
        messages = await self._store.write(lambda tx: tx.claim_messages(tx.now + LEASE, BATCH))
        by_channel: dict[str, list[Message]] = {}
        for message in messages:
            by_channel.setdefault(message.posted_in or message.channel_id, []).append(message)
        telling = [self._tell_channel(waiting) for waiting in by_channel.values()]
        if self._audit_channel:
            telling.append(self._tell_audit_channel())
        await asyncio.gather(*telling)

    async def _tell_channel(self, messages: list[Message]) -> None:
        """One after the other, as Slack takes about one message a second in a channel; a limit holds the rest back too."""
        limited = 0.0
        for message in messages:
            if limited:
                await self._postpone(message, "ratelimited", limited)
                continue
            run = await self._store.read(lambda tx, run_id=message.run_id: tx.run(run_id))  # type: ignore[misc]  # mypy can't type a lambda's default
            if run is None:
                continue
            try:
                posted_in, ts = await self._post(run, message)
            except SlackApiError as error:
                limited = _retry_after(error) or 0.0
                await self._postpone(message, str(error.response.get("error")), limited or None)
            except UNREACHABLE as error:
                await self._postpone(message, f"Slack could not be reached ({type(error).__name__})", None)
            else:
                await self._store.write(lambda tx, m=message, c=posted_in, t=ts: tx.message_told(m, c, t))  # type: ignore[misc]  # as above

    async def _post(self, run: Run, message: Message) -> tuple[str, str]:
        """Post the message, or bring it up to date. Returns where it is."""
        text, blocks = run_message(run, self._link(run))
        if message.ts and message.posted_in:
            try:
                await self._client.chat_update(channel=message.posted_in, ts=message.ts, text=text, blocks=blocks)
            except SlackApiError as error:
                if error.response.get("error") not in NOT_EDITABLE:
                    raise
                await self._send(message.posted_in, text, blocks, thread_ts=message.ts)
            return message.posted_in, message.ts
        try:
            return await self._send(run.channel_id, text, blocks)
        except SlackApiError as error:
            if error.response.get("error") not in CLOSED_TO_US:
                raise
            why = _why_directly(run, str(error.response.get("error")))
            note = {"type": "section", "text": {"type": "mrkdwn", "text": why}}
            return await self._send(run.user_id, text, [note, *blocks])

    async def _send(
        self, channel_id: str, text: str, blocks: list[dict[str, Any]], thread_ts: str | None = None
    ) -> tuple[str, str]:
        answer = await self._client.chat_postMessage(
            channel=channel_id, text=text, blocks=blocks, thread_ts=thread_ts, unfurl_links=False, unfurl_media=False
        )
        return str(answer["channel"]), str(answer["ts"])

    async def _postpone(self, message: Message, error: str, seconds: float | None) -> None:
        wait = seconds if seconds is not None else min(900.0, 2.0 ** min(message.attempts, 10))
        give_up = message.attempts + 1 >= GIVE_UP_AFTER
        log.warning("message of run %s not delivered: %s%s", message.run_id, error, "; giving up" if give_up else "")

        async def work(tx: Writing) -> None:
            await tx.message_postponed(message, error, None if give_up else tx.now + timedelta(seconds=wait))

        await self._store.write(work)

    async def _tell_audit_channel(self) -> None:
        claim = await self._store.write(lambda tx: tx.claim_audit_posts(tx.now + LEASE))
        if claim is None:
            return
        told, token = claim
        error: str | None = None
        again: float | None = None
        while records := await self._store.read(lambda tx, after=told: tx.records(after, TOGETHER)):  # type: ignore[misc]  # as above
            try:
                text, blocks = audit_post(records)
                await self._send(self._audit_channel, text, blocks)
            except SlackApiError as refused:
                error, again = str(refused.response.get("error")), _retry_after(refused) or 30.0
                break
            except UNREACHABLE as unreachable:
                error, again = type(unreachable).__name__, 10.0
                break
            told = records[-1].seq
        if error:
            log.error("the audit channel %s was not told of records after %d: %s", self._audit_channel, told, error)
        pause = again

        async def work(tx: Writing) -> None:
            held_until = None if pause is None else tx.now + timedelta(seconds=pause)
            await tx.audit_posts_told(token, told, held_until, error)

        await self._store.write(work)


def _retry_after(error: SlackApiError) -> float | None:
    """Seconds that Slack asks to wait, where it says so (Slack docs: apis/web-api/rate-limits)."""
    headers = {key.lower(): value for key, value in (error.response.headers or {}).items()}
    try:
        return max(1.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _why_directly(run: Run, reason: str) -> str:
    if reason == "is_archived":
        return f"The channel {channel(run.channel_id)} is archived, so I tell you here."
    return (
        f"I can't post in {channel(run.channel_id)}, so I tell you here."
        " To have it in the channel, invite me there: `/invite @workflow-bot`."
    )
