"""Telling Slack takes its time, and a lease may be nearly over by then: what is another's, or soon will be, is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import LocalSlack
from bot.slack.announcer import LEASE, Announcer
from bot.slack.directory import SlackDirectory
from bot.storage.store import SqlStore
from bot.storage.tables import messages
from tests.integration.conftest import OpenStore
from tests.made_up import run

FIRST, SECOND = run(id="R-FIRST", title="First"), run(id="R-SECOND", title="Second", request_key="key-2")

Pass = Callable[[timedelta], None]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Pass:
    """Has the database's time go by."""
    gone = timedelta()

    def go(time: timedelta) -> None:
        nonlocal gone
        gone += time

    monkeypatch.setattr("bot.storage.store._now", lambda _: datetime.now(UTC) + gone)
    return go


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    async with LocalSlack() as slack:
        slack.add_person("U01ALICE", "Alice")
        slack.add_channel("C01OPS", "ops")
        yield slack


class SlowClient(AsyncWebClient):
    """Something happens while the first message is being posted."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def chat_postMessage(self, **arguments: Any) -> Any:
        answer = await super().chat_postMessage(**arguments)
        if (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            await meanwhile()
        return answer


async def _two_are_due(store: SqlStore) -> None:
    def work(tx: Any) -> None:
        for number, one in enumerate((FIRST, SECOND)):
            tx.insert_run(one)
            tx.announce_run(one, tx.now - timedelta(seconds=2 - number))

    await store.write(work)


def _take_second(tx: Any) -> None:
    """As another replica would have claimed it, by whose clock the lease was over."""
    second = sa.update(messages).where(messages.c.run_id == SECOND.id)
    tx.connection.execute(second.values(token=messages.c.token + 1, held_until=tx.now + LEASE))


async def _tell_what_is_due(store: SqlStore, client: AsyncWebClient) -> None:
    stop = asyncio.Event()
    stop.set()
    await Announcer(store, client, SlackDirectory(client), lambda _: None, "").announce(stop)


def _titles(slack: LocalSlack) -> list[str]:
    return [title for m in slack.messages("C01OPS") for title in ("First", "Second") if title in str(m)]


@pytest.mark.parametrize("taken_by_another", [False, True])
async def test_what_waited_behind_a_slow_post_is_told_once_by_whoever_holds_it_then(
    database_url: str, open_store: OpenStore, slack: LocalSlack, passes: Pass, taken_by_another: bool
) -> None:
    store, other = open_store(database_url), open_store(database_url)
    client = SlowClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[])
    await _two_are_due(store)

    async def meanwhile() -> None:
        if taken_by_another:
            await other.write(_take_second)
        else:
            passes(LEASE * 0.8)

    client.meanwhile = meanwhile
    await _tell_what_is_due(store, client)
    assert _titles(slack) == ["First"]

    passes(LEASE)
    await _tell_what_is_due(other, client)

    assert _titles(slack).count("Second") == 1
    assert slack.calls_of("chat.delete") == []
    assert slack.violations == []
