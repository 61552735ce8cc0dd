"""Two replicas on one database race for a lock or a limit, and the database decides: exactly as many start as may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.audit import Act
from bot.domain.catalogue import CatalogueEntry, Limits
from bot.domain.people import Actor
from bot.domain.policy import Decision, Effect, Freeze, Grant, Policy, Reason
from bot.domain.runs import ENDED, Run, State
from bot.storage.sealing import FernetSealer
from bot.storage.store import SqlStore
from bot.use_cases.grant_permission import add_grant, remove_grant
from bot.use_cases.lock_workflow import LockAnswer, Locking, LockWish, lock, unlock
from bot.use_cases.run_workflow import AlreadyRequested, Ask, Denied, Outcome, Requested, Values, request
from tests.integration.chain import whole_chain
from tests.integration.conftest import OpenStore
from tests.made_up import entry, string_input

SUBMISSIONS = 200
HOUR = timedelta(hours=1)
SEALER = FernetSealer(["a key of the tests"])
PRODUCTION, STAGING = {"env": "production", "note": "a"}, {"env": "staging", "note": "b"}
LOCKING = entry(string_input("env"), string_input("note"), lock_on=("env",))


@pytest.fixture
async def replicas(database_url: str, open_store: OpenStore) -> list[SqlStore]:
    """Two processes' stores on one database, each with its own connections."""
    return [open_store(database_url), open_store(database_url)]


def limited(**limits: Any) -> CatalogueEntry:
    return entry(string_input("env"), string_input("note"), limits=Limits(**limits))


def actor(user_id: str = "U01ALICE") -> Actor:
    return Actor("T01LOCAL", user_id, user_id)


async def apply(store: SqlStore, *entries: CatalogueEntry, freezes: Sequence[Freeze] = ()) -> None:
    policy = Policy(entries, (Grant(Effect.ALLOW, "*", "*", rule=1, words="everyone"),), tuple(freezes))
    await store.write(lambda tx: tx.replace_policy(policy, digest="d" * 64, source="", applied_by="me"))


async def submit(
    store: SqlStore,
    key: str,
    values: dict[str, Any] | None = None,
    *,
    user: str = "U01ALICE",
    workflow: str = "restart-service",
) -> Outcome:
    given = Values({"env": "production", "note": key} if values is None else values)
    subjects = frozenset({user, "*"})
    ask = Ask(actor(user), subjects, "C01OPS", workflow, key, f"request-{key}", lambda _: given)
    return await request(ask, store, SEALER, frozenset())


async def race(replicas: list[SqlStore], each: Callable[[SqlStore, int], Awaitable[Outcome]]) -> list[Outcome]:
    """All submissions at once, by turns on each replica."""
    works = (each(replicas[number % len(replicas)], number) for number in range(SUBMISSIONS))
    return await asyncio.gather(*works)


def started(outcomes: list[Outcome]) -> list[Run]:
    return [outcome.run for outcome in outcomes if isinstance(outcome, Requested)]


def refusals(outcomes: list[Outcome]) -> set[Reason]:
    assert all(isinstance(outcome, Requested | Denied) for outcome in outcomes)
    return {outcome.decision.reason for outcome in outcomes if isinstance(outcome, Denied)}


def refused(outcome: Outcome) -> Decision:
    assert isinstance(outcome, Denied), outcome
    return outcome.decision


def requested(outcome: Outcome) -> Run:
    assert isinstance(outcome, Requested), outcome
    return outcome.run


async def move(store: SqlStore, run: Run, *states: State) -> None:
    """Take a run from state to state, as its worker would."""

    def work(tx: Any) -> None:
        for state in states:
            assert tx.move_run(run.id, run.token, set(State), state) is not None

    await store.write(work)


# ---------------------------------------------------------------------------------------------------------- the races


async def test_of_200_submissions_for_one_lock_exactly_one_starts(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], LOCKING)
    outcomes = await race(replicas, lambda store, n: submit(store, f"k{n}", user=f"U{n:05}"))
    (winner,) = started(outcomes)
    assert refusals(outcomes) == {Reason.LOCKED}
    runs = await replicas[1].read(lambda tx: tx.runs(SUBMISSIONS))
    assert [run.id for run in runs] == [winner.id]
    acts = [record["act"] for record in await whole_chain(replicas[0])]
    assert (acts.count(Act.REQUESTED), acts.count(Act.DENIED)) == (1, SUBMISSIONS - 1)


async def test_each_value_has_a_lock_of_its_own(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], LOCKING)
    where = [f"env{number}" for number in range(10)]
    outcomes = await race(replicas, lambda store, n: submit(store, f"k{n}", {"env": where[n // 2 % 10], "note": "a"}))
    assert sorted(run.inputs["env"] for run in started(outcomes)) == where


async def test_of_200_submissions_exactly_as_many_start_as_may_run_at_once(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], limited(at_once=3))
    outcomes = await race(replicas, lambda store, n: submit(store, f"k{n}", user=f"U{n:05}"))
    assert len(started(outcomes)) == 3
    assert refusals(outcomes) == {Reason.AT_ONCE}


async def test_of_200_submissions_exactly_one_starts_and_the_rest_wait_for_the_cool_down(
    replicas: list[SqlStore],
) -> None:
    await apply(replicas[0], limited(cool_down=HOUR))
    outcomes = await race(replicas, lambda store, n: submit(store, f"k{n}", user=f"U{n:05}"))
    (winner,) = started(outcomes)
    assert refusals(outcomes) == {Reason.COOL_DOWN}
    back = {outcome.decision.free_at for outcome in outcomes if isinstance(outcome, Denied)}
    assert back == {winner.created_at + HOUR}


async def test_of_200_submissions_each_person_starts_exactly_as_many_as_they_may(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], limited(per_person=(3, HOUR)))
    people = ["U01ALICE", "U02BOB"]
    outcomes = await race(replicas, lambda store, n: submit(store, f"k{n}", user=people[n // 2 % 2]))
    assert sorted(run.user_id for run in started(outcomes)) == ["U01ALICE"] * 3 + ["U02BOB"] * 3
    assert refusals(outcomes) == {Reason.PER_PERSON}


async def test_a_limited_workflow_keeps_its_limits_while_policies_are_applied(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], limited(at_once=3))

    async def each(store: SqlStore, number: int) -> Outcome:
        if number % 20 == 0:
            await apply(store, limited(at_once=3))
        return await submit(store, f"k{number}", user=f"U{number:05}")

    outcomes = await race(replicas, each)
    assert len(started(outcomes)) == 3
    assert refusals(outcomes) == {Reason.AT_ONCE}


async def test_replicas_whose_transactions_meet_in_other_orders_do_not_wait_for_each_other_in_a_ring(
    replicas: list[SqlStore], caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"w{number}" for number in range(8)]
    await apply(replicas[0], *(replace(limited(at_once=1000), name=name) for name in names))

    def each(store: SqlStore, order: list[str], turn: int) -> list[Awaitable[Outcome]]:
        return [submit(store, f"{id(store)} {turn} {name}", workflow=name) for name in order]

    for turn in range(15):  # each replica commits its eight together
        outcomes = await asyncio.gather(*each(replicas[0], names, turn), *each(replicas[1], names[::-1], turn))
        assert len(started(outcomes)) == 16
    assert "did not commit" not in caplog.text


async def test_one_press_delivered_to_both_replicas_again_and_again_starts_one_run_and_hears_of_it(
    replicas: list[SqlStore],
) -> None:
    await apply(replicas[0], replace(LOCKING, limits=Limits(1, HOUR, (1, HOUR))))
    outcomes = await asyncio.gather(*(submit(replicas[n % 2], "one press") for n in range(40)))
    (winner,) = started(outcomes)
    others = [outcome for outcome in outcomes if not isinstance(outcome, Requested)]
    assert {type(outcome) for outcome in others} == {AlreadyRequested}
    assert {outcome.run.id for outcome in others if isinstance(outcome, AlreadyRequested)} == {winner.id}


async def test_two_replicas_that_give_and_take_grants_lose_none_and_record_each(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], entry())

    async def give(number: int) -> Grant:
        grant = Grant(Effect.ALLOW, f"U{number:05}", "restart-service")
        return await add_grant(grant, "T01LOCAL", "U09ADMIN", "Ada", replicas[number % 2])

    given = await asyncio.gather(*(give(number) for number in range(60)))
    assert len({grant.id for grant in given}) == 60

    async def take_back(store: SqlStore, grant: Grant) -> None:
        assert grant.id is not None
        await remove_grant(grant.id, "T01LOCAL", "U09ADMIN", "Ada", store)

    taken = await asyncio.gather(
        *(take_back(store, grant) for store in replicas for grant in given[:30]), return_exceptions=True
    )
    assert sum(error is None for error in taken) == 30
    left = await replicas[1].read(lambda tx: tx.all_grants())
    assert {grant.subject for grant in left if not grant.from_file} == {f"U{number:05}" for number in range(30, 60)}
    acts = [record["act"] for record in await whole_chain(replicas[0])]
    assert (acts.count(Act.GRANT_ADDED), acts.count(Act.GRANT_REMOVED)) == (60, 30)


# -------------------------------------------------------------------------------------------------- how long a lock holds


@pytest.mark.parametrize("end", sorted(ENDED - {State.REFUSED, State.EXPIRED}))  # these never held one
async def test_a_run_frees_its_lock_at_its_end(replicas: list[SqlStore], end: State) -> None:
    await apply(replicas[0], LOCKING)
    first = requested(await submit(replicas[0], "first"))
    held = refused(await submit(replicas[1], "second"))
    assert (held.reason, held.words) == (Reason.LOCKED, f"run {first.id} with the same env is not over")
    way = [] if end is State.NOT_STARTED else [State.LAUNCHING, State.RUNNING]
    await move(replicas[0], first, *way, end)
    requested(await submit(replicas[1], "third"))


async def test_a_run_whose_outcome_is_unknown_keeps_its_lock_until_an_admin_frees_it(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], LOCKING)
    lost = requested(await submit(replicas[0], "first"))
    await move(replicas[0], lost, State.LAUNCHING, State.UNKNOWN)
    assert refused(await submit(replicas[1], "second")).reason is Reason.LOCKED
    where = {"env": "production"}
    assert (await unlock(wish("U01ALICE", where), replicas[1])).answer is LockAnswer.DENIED
    assert refused(await submit(replicas[0], "third")).reason is Reason.LOCKED
    freed = await unlock(wish("U09ADMIN", where), replicas[1])
    assert freed == Locking(LockAnswer.FORCED, run_id=lost.id)
    requested(await submit(replicas[0], "fourth"))
    forced = [record for record in await whole_chain(replicas[0]) if record["act"] == Act.UNLOCKED]
    assert [(record["actor"]["user"], record["held_by"], record["forced"]) for record in forced] == [
        ("U09ADMIN", lost.id, True)
    ]


async def test_values_that_count_as_equal_are_one_lock_and_long_ones_fit(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], LOCKING)
    for one, other in ((1, 1.0), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ("ä" * 3000, "ä" * 3000)):
        shown = json.dumps(one)[:20]
        requested(await submit(replicas[0], f"one {shown}", {"env": one, "note": ""}))
        assert refused(await submit(replicas[1], f"other {shown}", {"env": other, "note": ""})).reason is Reason.LOCKED


async def test_a_lock_of_one_workflow_is_none_of_another(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], LOCKING, replace(LOCKING, name="stop-service"))
    requested(await submit(replicas[0], "first"))
    requested(await submit(replicas[1], "second", workflow="stop-service"))


# ------------------------------------------------------------------------------------------------- locks that people take


def wish(user_id: str, when: dict[str, Any]) -> LockWish:
    return LockWish(
        actor(user_id),
        frozenset({user_id, "*"}),
        "C01OPS",
        "restart-service",
        when,
        frozenset(),
        ["U09ADMIN"],
        "request-lock",
    )


async def test_a_lock_that_a_person_took_stops_everybody_on_every_replica_until_it_is_released(
    replicas: list[SqlStore],
) -> None:
    await apply(replicas[0], LOCKING)
    taken = await lock(wish("U01ALICE", {}), "a deploy", HOUR, replicas[0])
    assert taken.answer is LockAnswer.TAKEN
    assert taken.lock is not None
    for user in ("U01ALICE", "U02BOB"):
        decision = refused(await submit(replicas[1], f"by {user}", user=user))
        assert (decision.reason, decision.words) == (Reason.LOCKED, "“a deploy”, says U01ALICE")
        assert decision.free_at == taken.lock.until
    assert (await unlock(wish("U02BOB", {}), replicas[1])).answer is LockAnswer.DENIED
    assert refused(await submit(replicas[0], "still")).reason is Reason.LOCKED
    assert (await unlock(wish("U01ALICE", {}), replicas[1])).answer is LockAnswer.RELEASED
    requested(await submit(replicas[0], "after"))
    assert (await unlock(wish("U01ALICE", {}), replicas[0])).answer is LockAnswer.NO_SUCH_LOCK


async def test_a_lock_on_values_stops_those_values_alone(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], LOCKING)
    await lock(wish("U01ALICE", {"env": "production"}), "a deploy", HOUR, replicas[0])
    assert refused(await submit(replicas[1], "first", PRODUCTION)).reason is Reason.LOCKED
    requested(await submit(replicas[1], "second", STAGING))
    forced = await unlock(wish("U09ADMIN", {"env": "production"}), replicas[1])
    assert forced.answer is LockAnswer.FORCED
    requested(await submit(replicas[0], "third", PRODUCTION))


async def test_a_lock_ends_by_itself(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], LOCKING)
    await lock(wish("U01ALICE", {}), "a moment", timedelta(0), replicas[0])
    requested(await submit(replicas[1], "first"))


async def test_of_many_who_release_one_lock_one_does(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], LOCKING)
    await lock(wish("U01ALICE", {}), "a deploy", HOUR, replicas[0])
    answers = await asyncio.gather(*(unlock(wish("U01ALICE", {}), replicas[n % 2]) for n in range(20)))
    assert sorted(each.answer for each in answers) == [LockAnswer.NO_SUCH_LOCK] * 19 + [LockAnswer.RELEASED]


# -------------------------------------------------------------------------------------------------- freezes and limits


async def test_a_freeze_stops_with_its_reason_and_its_end_and_only_while_it_lasts(replicas: list[SqlStore]) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    over = Freeze(("*",), now - 2 * HOUR, now - HOUR, "it is over")
    to_come = Freeze(("*",), now + HOUR, now + 2 * HOUR, "it is to come")
    other = Freeze(("stop-service",), now - HOUR, now + HOUR, "another workflow")
    await apply(replicas[0], LOCKING, freezes=[over, to_come, other])
    requested(await submit(replicas[1], "first"))
    holding = Freeze(("tag:ops",), now - HOUR, now + HOUR, "Black Friday")
    await apply(replicas[0], LOCKING, freezes=[over, holding, to_come])
    decision = refused(await submit(replicas[1], "second", STAGING))
    assert (decision.reason, decision.words, decision.free_at) == (Reason.FROZEN, "Black Friday", now + HOUR)
    denied = [record for record in await whole_chain(replicas[0]) if record["act"] == Act.DENIED]
    assert [(record["reason"], record["because"]) for record in denied] == [("frozen", "Black Friday")]


async def test_a_run_that_is_over_makes_room_for_the_next(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], limited(at_once=1))
    first = requested(await submit(replicas[0], "first"))
    assert refused(await submit(replicas[1], "second")).reason is Reason.AT_ONCE
    await move(replicas[1], first, State.LAUNCHING, State.RUNNING, State.FAILED)
    requested(await submit(replicas[0], "third"))


async def test_a_launch_that_was_refused_costs_nobody_a_turn(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], limited(cool_down=HOUR, per_person=(1, HOUR)))
    first = requested(await submit(replicas[0], "first"))
    await move(replicas[0], first, State.NOT_STARTED)
    requested(await submit(replicas[1], "second"))


async def test_a_person_may_come_back_when_the_first_of_their_runs_is_old_enough(replicas: list[SqlStore]) -> None:
    await apply(replicas[0], limited(per_person=(2, HOUR)))
    first = requested(await submit(replicas[0], "first"))
    requested(await submit(replicas[0], "second"))
    decision = refused(await submit(replicas[1], "third"))
    assert (decision.reason, decision.free_at) == (Reason.PER_PERSON, first.created_at + HOUR)
