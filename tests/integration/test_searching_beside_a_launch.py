"""A search for a lost run, at the moment in which another run's answer is noted."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.audit_keys import NO_KEY
from bot.domain.runs import Run, State
from bot.domain.workflows import Instance, InstancePage
from bot.storage.engine import open_engines
from bot.storage.store import SqlStore
from bot.use_cases.find_lost_run import find_lost_run

pytestmark = pytest.mark.postgres


class ListsOne:
    """A Datadog that lists one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    async def list_instances(self, workflow_id: str, page_size: int, page_number: int) -> InstancePage:
        return InstancePage((self._instance,), 1)

    def get(self, name: str) -> ListsOne:
        return self


def _run(number: int, state: State, now: datetime) -> Run:
    return Run(
        id=f"R-{number}",
        request_key=f"key-{number}",
        request_id="request",
        team_id="T01",
        user_id="U01",
        user_name="Alice",
        channel_id="C01",
        workflow="restart",
        title="Restart",
        datadog_id="d",
        account="default",
        inputs={},
        secrets={},
        definition_hash="h",
        policy_version=1,
        state=state,
        created_at=now,
        launched_at=now,
        due=now + timedelta(minutes=1),
        token=1,
    )


async def test_a_lost_run_never_gets_the_instance_whose_own_run_notes_it_just_then(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    lost, launching = _run(1, State.UNKNOWN, now), _run(2, State.LAUNCHING, now)
    here, there = SqlStore(*open_engines(postgres_url), NO_KEY), SqlStore(*open_engines(postgres_url), NO_KEY)
    here.start()
    there.start()

    loop = asyncio.get_running_loop()

    def note_the_answer() -> None:
        """What the other replica commits, between any two questions of the search."""
        answer = there.write(
            lambda tx: tx.move_run("R-2", 1, {State.LAUNCHING}, State.RUNNING, instance_id="i-2", due=now)
        )
        asyncio.run_coroutine_threadsafe(answer, loop).result(10)

    _interrupt(monkeypatch, note_the_answer)
    try:
        for run in (lost, launching):
            await here.write(lambda tx, run=run: tx.insert_run(run))  # type: ignore[misc]  # mypy can't type a lambda's default
        instance = Instance("i-2", "IN_PROGRESS", "Running", now, None, source_api=True)
        await find_lost_run(lost, here, ListsOne(instance))  # type: ignore[arg-type]  # nothing else is called
        found = await here.read(lambda tx: tx.run("R-1"))
        assert found == replace(found, state=State.UNKNOWN, instance_id=None)
    finally:
        await here.close()
        await there.close()


def _interrupt(monkeypatch: pytest.MonkeyPatch, deed: Any) -> None:
    """Have `deed` done once, after the first of the two questions, whichever that is."""
    from bot.storage.runs import RunRows

    taken, rivals = RunRows.instances_taken, RunRows.lost_rivals
    done: list[bool] = []

    def once() -> None:
        if not done:
            done.append(True)
            deed()

    def instances_taken(self: Any, instance_ids: Collection[str]) -> set[str]:
        found = taken(self, instance_ids)
        once()
        return found

    def lost_rivals(self: Any, run: Run, within: timedelta) -> int:
        found = rivals(self, run, within)
        once()
        return found

    monkeypatch.setattr(RunRows, "instances_taken", instances_taken)
    monkeypatch.setattr(RunRows, "lost_rivals", lost_rivals)


async def test_a_second_press_finds_the_run_of_the_first(postgres_url: str) -> None:
    store = SqlStore(*open_engines(postgres_url), NO_KEY)
    store.start()
    try:
        run = _run(1, State.READY, datetime.now(UTC))
        assert await store.write(lambda tx: tx.insert_run(run)) is True
        assert await store.write(lambda tx: tx.insert_run(replace(run, id="R-2"))) is False
    finally:
        await store.close()
