"""A run that doesn't obey its cancellation is looked at closely for a while, and then as seldom as any other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.runs import Run, State
from bot.domain.workflows import IN_PROGRESS, Instance
from bot.storage.sealing import FernetSealer
from bot.storage.store import SqlStore
from bot.use_cases.follow_run import follow
from bot.use_cases.pace import LONGEST_LOOK, SHORTEST_LOOK
from tests.made_up import run

LAUNCHED = datetime.now(UTC) - timedelta(days=2)


class Deaf:
    """A Datadog in which an instance goes on whatever is asked of it; it is every account's."""

    def __init__(self) -> None:
        self.cancels = 0

    def get(self, _: str) -> Any:
        return self

    async def get_instance(self, _: str, instance_id: str) -> Instance:
        return Instance(instance_id, IN_PROGRESS, "In progress", LAUNCHED, None)

    async def cancel_instance(self, *_: str) -> None:
        self.cancels += 1


@pytest.mark.parametrize(
    ("asked_before", "shortest", "longest"),
    [
        (timedelta(0), SHORTEST_LOOK, SHORTEST_LOOK),
        (timedelta(seconds=8), SHORTEST_LOOK, 2 * SHORTEST_LOOK),
        (timedelta(minutes=8), 60, 60),
        (timedelta(days=1), LONGEST_LOOK, LONGEST_LOOK),
    ],
)
async def test_the_longer_ago_cancelling_was_asked_for_the_more_seldom_it_is_looked_for(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, asked_before: timedelta, shortest: float, longest: float
) -> None:
    datadog = Deaf()
    now = datetime.now(UTC)
    monkeypatch.setattr("bot.storage.store._now", lambda _: now)
    await store.write(
        lambda tx: tx.insert_run(run(state=State.RUNNING, instance_id="i-1", launched_at=LAUNCHED, due=now))
    )
    await store.write(lambda tx: tx.ask_cancel(run().id, "U01ALICE"))
    now += asked_before

    held = await _claimed(store)
    await follow(held, store, datadog, FernetSealer(["a key"]))  # type: ignore[arg-type]  # as much of it as is asked

    after = await store.read(lambda tx: tx.run(held.id))
    assert (after.state, datadog.cancels) == (State.RUNNING, 1)
    pause = (after.due - now).total_seconds()
    assert 0.8 * shortest <= pause <= 1.2 * longest


async def _claimed(store: SqlStore) -> Run:
    claimed: list[Run] = await store.write(lambda tx: tx.claim_runs([State.RUNNING], tx.now + timedelta(minutes=1), 1))
    return claimed[0]
