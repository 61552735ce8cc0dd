"""Tells Slack what has happened: each run's live message, the word at its end, and the audit channel.

The outbox says what is due; this file posts it. What Slack refuses or limits is tried again, and what can never be
delivered is kept with the reason. `ts` is stored right after posting: a crash in between means at worst a second message,
never a lost one, and never a second one that tells the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.approvals import Standing
from bot.domain.errors import NotRecorded, SlackUnavailable
from bot.domain.runs import ENDED, Run, State
from bot.slack.asking import Asking
from bot.slack.blocks.end_word import approved_word, end_word
from bot.slack.blocks.run_message import opening_message, run_message
from bot.slack.blocks.text import channel
from bot.slack.directory import UNREACHABLE
from bot.slack.posting import Posting, is_closed
from bot.slack.witness import Witness, retry_after
from bot.use_cases import pace
from bot.use_cases.ports import APPROVED, ASK, END, LIVE, REMIND, Directory, Message, Reading, Store, Writing
from bot.use_cases.telemetry import COME_ROUND, REQUEST

LEASE = timedelta(seconds=60)
BATCH = 50
POSTING_AT_ONCE = 30  # channels
LAST_WORD = 10.0  # seconds that a stopping bot gives to what it is posting
GIVE_UP_AFTER = 1000  # attempts, about a day

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a message is about: the run, its approval, and all of its messages by kind."""

    run: Run
    standing: Standing | None
    messages: Mapping[str, Message]


Found = dict[Message, _Found]


class Announcer:
    """Posts what the outbox holds. One in each process; leases keep two from posting the same."""

    def __init__(
        self,
        store: Store,
        client: AsyncWebClient,
        directory: Directory,
        link: Callable[[Run], str | None],
        audit_channel: str,
    ) -> None:
        self._store = store
        self._client = client
        self._posting = Posting(store, client)
        self._asking = Asking(self._posting, directory)
        self._link = link
        self._witness = Witness(store, client, audit_channel) if audit_channel else None
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._witness_busy = False

    def wake(self) -> None:
        """Look at the outbox now rather than at the next poll."""
        self._wake.set()

    async def announce(self, stopping: asyncio.Event) -> None:
        """Post what is due until `stopping` is set, and then once more. A database that is away is waited for.

        Anything else that goes wrong ends it: it may be called again.
        """
        pause = pace.POLL
        while True:
            last = stopping.is_set()
            COME_ROUND.get()()
            self._wake.clear()
            try:
                await self._post_due()
                pause = pace.POLL
            except NotRecorded as error:
                log.error("the outbox can't be worked on, trying again in %.0f s: %s", pause, error.cause)
                pause = min(pace.LONGEST_PAUSE, pause * 2)
            if last:
                if self._tasks:
                    await asyncio.wait(self._tasks, timeout=LAST_WORD)
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)

    async def _post_due(self) -> None:
        audit = self._witness is not None
        if not await self._store.read(lambda tx: tx.messages_due(audit_channel=audit)):
            return
        messages = await self._store.write(lambda tx: tx.claim_messages(tx.now + LEASE, BATCH))
        by_channel: dict[str, list[Message]] = {}
        for message in messages:
            by_channel.setdefault(message.posted_in or message.channel_id, []).append(message)
        found = await self._guard(self._what([waiting[0] for waiting in by_channel.values()])) if messages else None
        for waiting in by_channel.values():
            self._begin(self._tell_channel(waiting, found))
        if self._witness is not None and not self._witness_busy:
            self._witness_busy = True
            self._begin(self._tell_witness(self._witness))
        if len(self._tasks) >= POSTING_AT_ONCE:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._noted(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _noted(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await self._guard(work)
        except NotRecorded as error:
            log.error("what was told to Slack could not be noted, so it may be told again: %s", error.cause)

    async def _guard(self, work: Coroutine[Any, Any, T]) -> T | None:
        try:
            return await work
        except NotRecorded:
            raise
        except Exception:  # the lease runs out, and it is tried again
            log.exception("unexpected error while posting to Slack")
            return None

    async def _tell_witness(self, witness: Witness) -> None:
        try:
            await witness.tell()
        finally:
            self._witness_busy = False

    async def _tell_channel(self, messages: Sequence[Message], found: Found | None) -> None:
        """One after the other, as Slack takes about one message a second in a channel; a limit holds the rest back too.

        The first is told as it was found with all that go out now; what comes behind it is looked up when its turn comes.
        """
        limited: float | None = None
        for message in messages:
            if limited is not None:
                await self._postpone(message, "ratelimited", limited)
                continue
            # Each on its own: a message that can't be rendered must not hold up its channel for ever.
            limited = await self._guard(self._tell(message, found if message is messages[0] else None))

    async def _tell(self, message: Message, among: Found | None) -> float | None:
        """Tell one, looked up already or not. Returns the seconds to wait where Slack limits us."""
        REQUEST.set("")  # what is told here is told on behalf of one run after the other
        found = (await self._what([message]) if among is None else among).get(message)
        if found is None:
            return None
        REQUEST.set(found.run.request_id)
        try:
            await self._tell_found(found, message)
        except SlackApiError as error:
            limited = retry_after(error)
            await self._postpone(message, str(error.response.get("error")), limited)
            return limited
        except (SlackUnavailable, *UNREACHABLE) as error:
            await self._postpone(message, f"Slack could not be reached ({type(error).__name__})", None)
        return None

    async def _tell_found(self, found: _Found, message: Message) -> None:
        run, standing = found.run, found.standing
        if message.kind == LIVE:
            await self._tell_live(run, standing, message)
        elif message.kind in (APPROVED, END):
            await self._tell_word(run, standing, message, found.messages[LIVE])
        elif standing is not None and message.kind.startswith(ASK):
            await self._asking.ask(run, standing, message)
        elif standing is not None:
            asked = found.messages.get(ASK + message.kind.removeprefix(REMIND))
            await self._asking.remind(run, standing, message, asked)

    async def _what(self, messages: Sequence[Message]) -> Found:
        """What there is to tell; without those whose lease is another's, or too nearly over to post under it."""

        def question(tx: Reading) -> Found:
            runs = {run.id: run for run in tx.runs_named({message.run_id for message in messages})}
            rows: dict[str, dict[str, Message]] = {run_id: {} for run_id in runs}
            for row in tx.messages_of(runs):
                rows[row.run_id][row.kind] = row
            found: Found = {}
            for message in messages:
                row = rows[message.run_id][message.kind]
                if row.token == message.token and row.held_until is not None and row.held_until - tx.now > LEASE / 3:
                    run = runs[message.run_id]
                    standing = tx.standing(run.id) if run.bound_to else None
                    found[message] = _Found(run, standing, rows[run.id])
            return found

        return await self._store.read(question)

    async def _tell_live(self, run: Run, standing: Standing | None, message: Message) -> None:
        """Post the message, or bring it up to date. The first post never tells the end, so that the end is told once."""
        if message.ts is None or message.posted_in is None:
            over = run.state in ENDED or run.state is State.UNKNOWN
            text, blocks = opening_message(run) if over else run_message(run, self._link(run), standing)
            posted_in, ts = await self._post(run, text, blocks)
            if not await self._posting.told(message, posted_in, ts, whole=not over):
                # Another has told it while we were away: ours would stand there for ever.
                with contextlib.suppress(SlackApiError, *UNREACHABLE):
                    await self._client.chat_delete(channel=posted_in, ts=ts)
            elif over:
                self.wake()
            return
        text, blocks = run_message(run, self._link(run), standing)
        if message.posted_in != run.channel_id:
            blocks = [_why_directly(run), *blocks]
        try:
            await self._posting.edit(message.posted_in, message.ts, text, blocks)
        except SlackApiError as error:
            if not is_closed(error) or message.posted_in != run.channel_id:
                raise
            await self._move_to_requester(run, message)
            return
        if not await self._posting.told(message, message.posted_in, message.ts):
            await self._store.write(lambda tx: tx.message_stale(message))

    async def _move_to_requester(self, run: Run, message: Message) -> None:
        """The channel was closed to us while the run went on: its message goes on where the requester sees it."""
        text, blocks = opening_message(run)
        posted_in, ts = await self._posting.send(run.user_id, text, [_why_directly(run), *blocks])
        await self._posting.told(message, posted_in, ts, whole=False)
        self.wake()

    async def _tell_word(self, run: Run, standing: Standing | None, message: Message, live: Message) -> None:
        """A word in the thread of the message; the one at the end after that shows the end, so that it is never read first."""
        if live.due is not None and (live.ts is None or message.kind == END):
            await self._wait_for_live(message)
            return
        text, outputs = end_word(run, standing) if message.kind == END else (approved_word(run, standing), None)
        try:
            place, ts = await self._send_word(run, text, outputs, live.posted_in or run.user_id, live.ts)
        except SlackApiError as error:
            if not is_closed(error) or live.posted_in == run.user_id:
                raise
            place, ts = await self._send_word(run, text, outputs, run.user_id, None)
        await self._posting.told(message, place, ts)

    async def _send_word(
        self, run: Run, text: str, outputs: str | None, place: str, thread_ts: str | None
    ) -> tuple[str, str]:
        if outputs is not None and thread_ts is not None:
            try:
                await self._client.files_upload_v2(
                    channel=place,
                    thread_ts=thread_ts,
                    content=outputs,
                    filename=f"{run.id}-outputs.json",
                    title="Outputs",
                    initial_comment=text,
                )
            except SlackApiError as error:
                if error.response.get("error") != "missing_scope":
                    raise
                words = f"{text}\n(The bot may not upload files here.)"
                await self._posting.send(place, words, None, thread_ts=thread_ts)
            return place, thread_ts
        return await self._posting.send(place, text, None, thread_ts=thread_ts)

    async def _post(self, run: Run, text: str, blocks: list[dict[str, Any]]) -> tuple[str, str]:
        try:
            return await self._posting.send(run.channel_id, text, blocks)
        except SlackApiError as error:
            if not is_closed(error):
                raise
            return await self._posting.send(run.user_id, text, [_why_directly(run), *blocks])

    async def _wait_for_live(self, message: Message) -> None:
        await self._store.write(lambda tx: tx.message_put_off(message, tx.now + timedelta(seconds=0.3)))

    async def _postpone(self, message: Message, error: str, seconds: float | None) -> None:
        wait = seconds if seconds is not None else min(pace.LONGEST_RETELL, 2.0 ** min(message.attempts, 10))
        give_up = message.attempts + 1 >= GIVE_UP_AFTER
        log.warning("message of run %s not delivered: %s%s", message.run_id, error, "; giving up" if give_up else "")

        def work(tx: Writing) -> None:
            due = None if give_up else tx.now + timedelta(seconds=wait)
            tx.message_postponed(message, error, due, hold=seconds is not None)  # the time that Slack names is kept

        await self._store.write(work)


def _why_directly(run: Run) -> dict[str, Any]:
    """The block at the top of a run's message where the channel is closed to the bot, at each update too."""
    why = (
        f"I can't post in {channel(run.channel_id)}, so I tell you here. To have it in the channel, invite me there:"
        " `/invite @workflow-bot` (an archived channel takes nobody)."
    )
    return {"type": "section", "text": {"type": "mrkdwn", "text": why}}
