"""One look at a database, as an operator sees it: what is open, what is overdue, and no table read from end to end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.runs import State
from bot.storage.engine import open_engines
from bot.storage.samples import _EVERYTHING, CHANNEL
from bot.storage.store import SqlStore
from tests.made_up import NOON, run


def _runs(now: Any) -> list[Any]:
    past = now - timedelta(minutes=5)
    states = [
        (State.READY, past),
        (State.RUNNING, now + timedelta(minutes=1)),
        (State.RUNNING, now + timedelta(minutes=2)),
        (State.UNKNOWN, None),
        (State.AWAITING_APPROVAL, None),
    ]
    found = [replace(run(state=state, due=due, ended_at=None, lock_key=None)) for state, due in states]
    found += [run(state=State.SUCCEEDED, due=None, ended_at=NOON, lock_key=None) for _ in range(3)]
    return [replace(one, id=f"R-{n:010d}", request_key=f"key {n}") for n, one in enumerate(found)]


async def test_an_empty_database_has_nothing_open_and_nothing_overdue(store: SqlStore) -> None:
    sample = await store.read(lambda tx: tx.sample())
    assert (sample.runs, sample.messages, sample.retried, sample.head) == ({}, 0, 0, 0)
    assert (sample.runs_overdue, sample.messages_overdue, sample.oldest_approval) == (0, 0, 0)
    assert sample.told[CHANNEL] == 0


async def test_open_runs_are_counted_and_ended_ones_are_not(store: SqlStore) -> None:
    def work(tx: Any) -> None:
        for one in _runs(tx.now):
            assert tx.insert_run(one)
        tx.announce_run(_runs(tx.now)[0], tx.now - timedelta(minutes=3))
        tx.announce_run(_runs(tx.now)[1], tx.now + timedelta(minutes=3))

    await store.write(work)
    sample = await store.read(lambda tx: tx.sample())
    assert sample.runs == {State.READY: 1, State.RUNNING: 2, State.UNKNOWN: 1, State.AWAITING_APPROVAL: 1}
    assert 300 <= sample.runs_overdue < 600
    assert 180 <= sample.messages_overdue < 300
    assert (sample.messages, sample.retried) == (2, 0)


@pytest.mark.parametrize("table", ["runs", "messages", "approvals", "audit_records"])
async def test_no_table_that_grows_is_read_whole(sqlite_url: str, table: str) -> None:
    writer, reader = open_engines(sqlite_url)
    with reader.connect() as connection:
        statement = str(_EVERYTHING.compile(reader, compile_kwargs={"literal_binds": True}))
        steps = [str(row[3]) for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {statement}"))]
    writer.dispose()
    reader.dispose()
    mine = [step for step in steps if f" {table} " in f"{step} "]
    assert [step for step in mine if " INDEX " not in step] == []
