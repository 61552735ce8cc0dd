from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.runs import ENDED, Run, RunStep, State
from bot.storage.store import SqlStore
from tests.integration.conftest import OpenStore
from tests.made_up import NOON, run

LEASE = timedelta(minutes=1)


async def insert(store: SqlStore, *runs: Run) -> list[bool]:
    def work(tx: Any) -> list[bool]:
        return [tx.insert_run(each) for each in runs]

    return await store.write(work)


async def claim(store: SqlStore, limit: int = 50, states: Collection[State] = (State.READY,)) -> list[Run]:
    return await store.write(lambda tx: tx.claim_runs(states, tx.now + LEASE, limit))


async def move(store: SqlStore, token: int, before: set[State], after: State, **changes: Any) -> Run | None:
    return await store.write(lambda tx: tx.move_run("R-0123456789", token, before, after, **changes))


async def test_a_run_comes_back_as_it_was_written(store: SqlStore) -> None:
    odd = run(
        inputs={"text": "“ä”\n🙂 <!channel>", "list": [1, 2.5, True, None], "object": {"a": {"b": []}}},
        secrets={"token": "f" * 16},
        sealed="sealed",
        error="Because",
        launched_at=NOON,
        ended_at=NOON,
        instance_id="i-1",
        token=2**40,
        attempts=3,
        status="Waiting “for” <a person>",
        steps=[
            RunStep("Ask 🙂", "SUCCEEDED", NOON, NOON + timedelta(seconds=0.25)),
            RunStep("Do", "IN_PROGRESS", NOON),
        ],
        outputs={"answer": {"deep": [1, 2.5, True, None, "<@U01>"]}},
        looks=7,
        cancel_by="U02BOB",
        cancel_sent=True,
        lock_key='restart-service {"env": "ä"}',
    )
    assert await insert(store, odd) == [True]
    assert await store.read(lambda tx: tx.run(odd.id)) == odd
    assert await store.read(lambda tx: tx.run_by_key("key-1")) == odd
    assert await store.read(lambda tx: tx.run("R-none")) is None


async def test_one_press_makes_one_run_however_often_it_is_delivered(database_url: str, open_store: OpenStore) -> None:
    stores = [open_store(database_url), open_store(database_url)]
    asked = [insert(stores[number % 2], run(id=f"R-{number}")) for number in range(8)]
    assert sorted(won for (won,) in await asyncio.gather(*asked)) == [False] * 7 + [True]
    assert len(await stores[0].read(lambda tx: tx.runs(10))) == 1


async def test_two_workers_never_claim_the_same_run(database_url: str, open_store: OpenStore) -> None:
    stores = [open_store(database_url), open_store(database_url)]
    await insert(stores[0], *(run(id=f"R-{n}", request_key=f"k{n}") for n in range(60)))

    async def claim_all(store: SqlStore) -> list[Run]:
        found: list[Run] = []
        while more := await claim(store, 7):
            found += more
        return found

    both = await asyncio.gather(*(claim_all(store) for store in stores * 2))
    ids = [each.id for found in both for each in found]
    assert sorted(ids) == sorted(f"R-{n}" for n in range(60))
    assert {each.token for found in both for each in found} == {2}


async def test_what_is_not_due_or_has_ended_is_not_claimed(store: SqlStore) -> None:
    later = NOON + timedelta(days=36500)
    await insert(store, run(due=later), run(id="R-2", request_key="2", due=None))
    assert not await store.read(lambda tx: tx.runs_due())
    assert await claim(store, states=list(State)) == []


async def test_a_claim_takes_runs_of_the_states_it_names_alone(store: SqlStore) -> None:
    await insert(store, *(run(id=f"R-{state}", request_key=state, state=state) for state in State))
    launches = await claim(store, states={State.READY, State.LAUNCHING})
    assert {each.state for each in launches} == {State.READY, State.LAUNCHING}
    assert [each.state for each in await claim(store, states={State.UNKNOWN})] == [State.UNKNOWN]
    assert [each.state for each in await claim(store, states={State.RUNNING, State.READY})] == [State.RUNNING]


async def test_what_was_claimed_and_not_begun_can_be_given_back(store: SqlStore) -> None:
    await insert(store, run())
    (held,) = await claim(store)
    assert await claim(store) == []
    await store.write(lambda tx: tx.release_runs([replace(held, token=held.token - 1)]))
    assert await claim(store) == []
    await store.write(lambda tx: tx.release_runs([held]))
    assert [each.token for each in await claim(store)] == [held.token + 1]


async def test_no_two_open_runs_hold_the_same_lock(store: SqlStore) -> None:
    others = [run(id=f"R-{n}", request_key=f"{n}", lock_key="env=production") for n in range(2)]
    assert await insert(store, run(lock_key="env=production"), *others) == [True, False, False]
    assert await store.read(lambda tx: tx.run_with_lock("env=production")) == "R-0123456789"


@pytest.mark.parametrize("end", sorted(ENDED - {State.REFUSED, State.EXPIRED}))  # these never held one
async def test_a_run_that_is_over_holds_no_lock_and_an_unknown_one_does(store: SqlStore, end: State) -> None:
    await insert(store, run(state=State.LAUNCHING, lock_key="env=production"))
    lost = await move(store, 1, {State.LAUNCHING}, State.UNKNOWN)
    assert lost is not None
    assert lost.lock_key == "env=production"
    if end is not State.NOT_STARTED:
        assert await move(store, 1, {State.UNKNOWN}, State.RUNNING) is not None
    over = await move(store, 1, {State.UNKNOWN, State.RUNNING}, end)
    assert over is not None
    assert over.lock_key is None
    assert await store.read(lambda tx: tx.run_with_lock("env=production")) is None


async def test_a_claim_takes_the_longest_due_first_and_holds_it_for_its_lease(store: SqlStore) -> None:
    await insert(store, *(run(id=f"R-{n}", request_key=f"{n}", due=NOON + timedelta(hours=-n)) for n in range(3)))
    assert await store.read(lambda tx: tx.runs_due())
    assert [each.id for each in await claim(store, 1)] == ["R-2"]
    assert {each.id for each in await claim(store)} == {"R-0", "R-1"}
    assert await claim(store) == []


async def test_a_worker_that_lost_its_lease_can_write_no_more(store: SqlStore) -> None:
    await insert(store, run())
    (mine,) = await claim(store)
    assert await move(store, 1, {State.READY}, State.LAUNCHING) is None
    launching = await move(store, mine.token, {State.READY}, State.LAUNCHING, attempts=1)
    assert launching is not None
    assert (launching.state, launching.attempts) == (State.LAUNCHING, 1)
    assert await move(store, 1, {State.LAUNCHING}, State.RUNNING) is None
    assert await move(store, mine.token, {State.LAUNCHING}, State.RUNNING, instance_id="i-1") is not None


async def test_a_cancellation_makes_the_run_due_and_takes_it_from_a_look_that_is_under_way(store: SqlStore) -> None:
    running = {State.RUNNING}
    await insert(store, run(state=State.RUNNING, instance_id="i-1"))
    (looking,) = await claim(store, states=running)
    await store.write(lambda tx: tx.ask_cancel(looking.id, "U01ALICE"))
    assert await move(store, looking.token, running, State.RUNNING, due=NOON + timedelta(days=1000)) is None
    assert [one.cancel_by for one in await claim(store, states=running)] == ["U01ALICE"]


async def test_a_late_answer_still_turns_an_unknown_run_into_the_truth(store: SqlStore) -> None:
    await insert(store, run(state=State.UNKNOWN, token=9))
    moved = await move(store, 1, {State.LAUNCHING, State.UNKNOWN}, State.RUNNING, instance_id="i-1")
    assert moved is not None
    assert (moved.state, moved.instance_id) == (State.RUNNING, "i-1")


@pytest.mark.parametrize("state", [State.RUNNING, State.NOT_STARTED, State.UNKNOWN])
async def test_a_move_that_is_not_legal_is_not_made_whoever_asks(store: SqlStore, state: State) -> None:
    await insert(store, run(state=state))
    assert await move(store, 1, set(State), State.LAUNCHING) is None
    found = await store.read(lambda tx: tx.run("R-0123456789"))
    assert found is not None
    assert found.state is state


async def test_of_many_moves_at_once_one_wins(database_url: str, open_store: OpenStore) -> None:
    stores = [open_store(database_url), open_store(database_url)]
    await insert(stores[0], run())
    moves = [move(stores[n % 2], 1, {State.READY}, State.LAUNCHING) for n in range(6)]
    assert sum(moved is not None for moved in await asyncio.gather(*moves)) == 1


async def test_runs_are_listed_newest_first_by_person_and_state(store: SqlStore) -> None:
    base = run()
    await insert(
        store,
        replace(base, id="R-1", request_key="1"),
        replace(base, id="R-2", request_key="2", created_at=NOON + timedelta(seconds=1), state=State.UNKNOWN),
        replace(base, id="R-3", request_key="3", created_at=NOON + timedelta(seconds=2), user_id="U02BOB"),
    )

    async def ids(**which: Any) -> list[str]:
        return [each.id for each in await store.read(lambda tx: tx.runs(10, **which))]

    assert await ids() == ["R-3", "R-2", "R-1"]
    assert await ids(user_id="U01ALICE") == ["R-2", "R-1"]
    assert await ids(state=State.UNKNOWN) == ["R-2"]
    assert len(await store.read(lambda tx: tx.runs(1))) == 1
