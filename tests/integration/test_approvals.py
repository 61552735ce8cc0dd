"""Every pair of an approval's state and what can happen to it, and two replicas pressing at the same instant."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import MagicMock

import pytest
import sqlalchemy as sa

from bot.domain.approvals import Approval, ApprovalState, Quorum, Requirement, Review, binding
from bot.domain.catalogue import CatalogueEntry
from bot.domain.people import Actor
from bot.domain.policy import Effect, Grant, Policy
from bot.domain.runs import Run, State
from bot.storage.engine import open_engines
from bot.storage.one_time_codes import TotpCodes
from bot.storage.sealing import FernetSealer
from bot.storage.store import SqlStore
from bot.use_cases.approval_outcome import Requester
from bot.use_cases.cancel_run import CancelAnswer, cancel_as
from bot.use_cases.review_run import Press, ReviewAnswer, review
from bot.use_cases.tend_approvals import tend_approvals
from tests.integration.chain import whole_chain
from tests.integration.conftest import OpenStore
from tests.made_up import entry, run, string_input

RACES = 200
SEALER = FernetSealer(["a key of the tests"])
CODES = TotpCodes(SEALER)
ALICE, BOB, CARA, DAN = (Actor("T01LOCAL", f"U0{number}", f"person {number}") for number in range(1, 5))
MANAGERS = Quorum("managers", (BOB.user_id, CARA.user_id))
ASKED = Requirement((MANAGERS,), expires=timedelta(hours=1), remind=timedelta(minutes=10))
REQUESTER = Requester(ALICE, frozenset({ALICE.user_id, "*"}), frozenset())
WORKFLOW = entry(string_input("service"), definition_hash="d" * 64, datadog_id="w")
S = ApprovalState

# What became of the run where its approval is in this state.
RUN_STATE = {
    S.WAITING: State.AWAITING_APPROVAL,
    S.APPROVED: State.READY,
    S.REFUSED: State.REFUSED,
    S.EXPIRED: State.EXPIRED,
    S.WITHDRAWN: State.CANCELLED,
    S.REVIEW_OPEN: State.RUNNING,
    S.REVIEWED: State.RUNNING,
}


@dataclass
class Scene:
    """One approval in some state, on one or more replicas."""

    store: SqlStore
    run: Run

    async def press(self, approves: bool, who: Actor = BOB, store: SqlStore | None = None) -> ReviewAnswer:
        subjects = frozenset({who.user_id, "*"})
        press = Press(who, subjects, self.run.id, self.run.bound_to, approves, "because")
        return (await review(press, REQUESTER, store or self.store, CODES)).answer

    async def state(self) -> tuple[ApprovalState, State]:
        def question(tx: Any) -> tuple[ApprovalState, State]:
            return tx.standing(self.run.id).approval.state, tx.run(self.run.id).state

        return await self.store.read(question)

    async def everything(self) -> Any:
        """The rows of this approval, its run, its answers and its messages."""

        def question(tx: Any) -> Any:
            return tx.standing(self.run.id), tx.run(self.run.id), tx.messages(self.run.id)

        return await self.store.read(question)


async def apply(store: SqlStore, requirement: Requirement = ASKED, workflow: CatalogueEntry = WORKFLOW) -> None:
    grant = Grant(Effect.ALLOW, ALICE.user_id, "*", rule=1, words="alice", approval=requirement)
    policy = Policy((workflow,), (grant,))
    await store.write(lambda tx: tx.replace_policy(policy, digest="d" * 64, source="", applied_by="me"))


async def scene(
    store: SqlStore, state: ApprovalState = S.WAITING, requirement: Requirement = ASKED, number: int = 0
) -> Scene:
    """A run with its approval in this state, asked for just now."""
    made = run(
        id=f"R-{number:010}",
        request_key=f"key-{number}",
        user_id=ALICE.user_id,
        definition_hash="d" * 64,
        datadog_id="w",
        state=RUN_STATE[state],
        due=None,
        instance_id="i" if RUN_STATE[state] is State.RUNNING else None,
    )
    made = replace(made, bound_to=binding(made))

    def work(tx: Any) -> None:
        tx.insert_run(made)
        opened = Approval(made.id, state, requirement, made.bound_to, "why", 1, tx.now, tx.now + timedelta(hours=1))
        tx.open_approval(opened, due=tx.now + timedelta(minutes=10))
        if state in (S.APPROVED, S.REFUSED, S.REVIEWED):
            given = Review(made.id, DAN.user_id, DAN.name, state is not S.REFUSED, "", tx.now, (0,), made.bound_to)
            tx.add_review(given)

    await store.write(work)
    return Scene(store, made)


def shift(url: str, **columns: timedelta) -> None:
    """Move moments of every approval, as if that time had gone by."""
    engines = open_engines(url)
    with engines[0].begin() as connection:
        for row in connection.execute(sa.text("SELECT run_id FROM approvals")).all():
            for column, by in columns.items():
                from bot.storage.tables import approvals

                moment = approvals.c[column]
                statement = sa.update(approvals).where(approvals.c.run_id == row.run_id)
                connection.execute(statement.values({moment: datetime.now(UTC) + by}))
    for engine in engines:
        engine.dispose()


# ------------------------------------------------------------------------------------------------- every pair, one table


async def _approve(one: Scene, _: str) -> Any:
    return await one.press(True)


async def _refuse(one: Scene, _: str) -> Any:
    return await one.press(False)


async def _withdraw(one: Scene, _: str) -> Any:
    def work(tx: Any) -> CancelAnswer:
        return cancel_as(tx, tx.run(one.run.id), ALICE.user_id, ALICE.name).answer

    return await one.store.write(work, starts=True)


async def _time_is_over(one: Scene, url: str) -> Any:
    if (await one.everything())[0].approval.state in (S.WAITING, S.REVIEW_OPEN):
        shift(url, expires_at=-timedelta(seconds=1), due=-timedelta(seconds=1))
    await tend_approvals(one.store)


async def _time_to_remind(one: Scene, url: str) -> Any:
    if (await one.everything())[0].approval.state in (S.WAITING, S.REVIEW_OPEN):
        shift(url, due=-timedelta(seconds=1))
    await tend_approvals(one.store)


Event = Callable[[Scene, str], Awaitable[Any]]
EVENTS: dict[str, Event] = {
    "approve": _approve,
    "refuse": _refuse,
    "withdraw": _withdraw,
    "time is over": _time_is_over,
    "time to remind": _time_to_remind,
}
# Where an event leads; every pair that isn't here changes nothing.
LEADS = {
    (S.WAITING, "approve"): (S.APPROVED, State.READY, ReviewAnswer.STARTED),
    (S.WAITING, "refuse"): (S.REFUSED, State.REFUSED, ReviewAnswer.REFUSED),
    (S.WAITING, "withdraw"): (S.WITHDRAWN, State.CANCELLED, CancelAnswer.WITHDRAWN),
    (S.WAITING, "time is over"): (S.EXPIRED, State.EXPIRED, None),
    (S.WAITING, "time to remind"): (S.WAITING, State.AWAITING_APPROVAL, None),
    (S.REVIEW_OPEN, "approve"): (S.REVIEWED, State.RUNNING, ReviewAnswer.SIGNED_OFF),
    (S.REVIEW_OPEN, "refuse"): (S.REVIEWED, State.RUNNING, ReviewAnswer.SIGNED_OFF),
    # Its run goes on, and can be cancelled like any other; the review stays open.
    (S.REVIEW_OPEN, "withdraw"): (S.REVIEW_OPEN, State.RUNNING, CancelAnswer.ASKED),
    (S.REVIEW_OPEN, "time is over"): (S.REVIEW_OPEN, State.RUNNING, None),
    (S.REVIEW_OPEN, "time to remind"): (S.REVIEW_OPEN, State.RUNNING, None),
    (S.REVIEWED, "withdraw"): (S.REVIEWED, State.RUNNING, CancelAnswer.ASKED),
    (S.APPROVED, "withdraw"): (S.APPROVED, State.CANCELLED, CancelAnswer.NOT_STARTED_ANY_MORE),
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(ApprovalState, EVENTS)))
async def test_every_pair_of_state_and_event(
    store: SqlStore, database_url: str, state: ApprovalState, event: str
) -> None:
    await apply(store)
    one = await scene(store, state)
    if state not in (S.WAITING, S.REVIEW_OPEN):  # what is decided has nothing due
        await store.write(lambda tx: _close(tx, one.run.id))
    before = await one.everything()
    answer = await EVENTS[event](one, database_url)
    expected = LEADS.get((state, event))
    if expected is not None:
        assert (*await one.state(), answer) == expected
        return
    assert await one.everything() == before
    assert answer in (None, ReviewAnswer.OVER, CancelAnswer.OVER)


def _close(tx: Any, run_id: str) -> None:
    from bot.storage.tables import approvals

    tx.connection.execute(sa.update(approvals).where(approvals.c.run_id == run_id).values(due=None))


async def test_a_reminder_goes_to_those_who_have_not_answered_and_comes_again(
    store: SqlStore, database_url: str
) -> None:
    two = replace(ASKED, quorums=(replace(MANAGERS, count=2),))
    await apply(store, two)
    one = await scene(store, requirement=two)
    await store.write(lambda tx: [tx.announce_ask(one.run, who.user_id) for who in (BOB, CARA)])
    assert await one.press(True) is ReviewAnswer.COUNTED
    for times in (1, 2):
        shift(database_url, due=-timedelta(seconds=1))
        await tend_approvals(store)
        reminders = {m.kind: m.revision for m in (await one.everything())[2] if m.kind.startswith("remind:")}
        assert reminders == {f"remind:{CARA.user_id}": times}


# ------------------------------------------------------------------------------------------------------------- the races


@pytest.fixture
async def replicas(database_url: str, open_store: OpenStore) -> list[SqlStore]:
    """Two processes' stores on one database, each with its own connections."""
    return [open_store(database_url), open_store(database_url)]


async def test_of_two_approvers_pressing_at_once_on_two_replicas_each_is_counted_once(replicas: list[SqlStore]) -> None:
    two = replace(ASKED, quorums=(replace(MANAGERS, count=2),))
    await apply(replicas[0], two)
    scenes = [await scene(replicas[0], requirement=two, number=number) for number in range(RACES)]

    async def race(one: Scene) -> list[ReviewAnswer]:
        presses = (one.press(True, who, store) for who, store in itertools.product((BOB, CARA), replicas))
        return await asyncio.gather(*presses)

    for answers in await asyncio.gather(*(race(one) for one in scenes)):
        # Each person's second press finds the first counted, or all decided.
        counted = [one for one in answers if one in (ReviewAnswer.COUNTED, ReviewAnswer.STARTED)]
        assert sorted(counted) == sorted([ReviewAnswer.COUNTED, ReviewAnswer.STARTED])
        assert set(answers) <= {*counted, ReviewAnswer.ANSWERED_BEFORE, ReviewAnswer.OVER}
    for one in scenes:
        standing, current, _ = await one.everything()
        assert {review.user_id for review in standing.reviews} == {BOB.user_id, CARA.user_id}
        assert (standing.approval.state, current.state) == (S.APPROVED, State.READY)
    acts = [body["act"] for body in await whole_chain(replicas[0])]
    assert acts.count("approved") == 2 * RACES


async def test_of_a_yes_and_a_no_at_the_same_instant_one_decides(replicas: list[SqlStore]) -> None:
    await apply(replicas[0])
    scenes = [await scene(replicas[0], number=number) for number in range(RACES)]

    async def race(one: Scene) -> tuple[ReviewAnswer, ReviewAnswer]:
        return await asyncio.gather(one.press(True, BOB, replicas[0]), one.press(False, CARA, replicas[1]))

    for one, (yes, no) in zip(scenes, await asyncio.gather(*(race(one) for one in scenes)), strict=True):
        standing, current, _ = await one.everything()
        assert len(standing.reviews) == 1
        if yes is ReviewAnswer.STARTED:
            assert (no, current.state) == (ReviewAnswer.OVER, State.READY)
        else:
            assert (yes, no, current.state) == (ReviewAnswer.OVER, ReviewAnswer.REFUSED, State.REFUSED)


async def test_of_an_approval_and_a_withdrawal_at_the_same_instant_one_wins(replicas: list[SqlStore]) -> None:
    await apply(replicas[0])
    scenes = [await scene(replicas[0], number=number) for number in range(RACES // 4)]

    async def race(one: Scene) -> tuple[Any, Any]:
        other = Scene(replicas[1], one.run)
        return await asyncio.gather(one.press(True), _withdraw(other, ""))

    for one, (yes, back) in zip(scenes, await asyncio.gather(*(race(one) for one in scenes)), strict=True):
        _, current, _ = await one.everything()
        if yes is ReviewAnswer.STARTED:  # then it was cancelled as a run that waits to be launched, or not any more
            assert back in (CancelAnswer.NOT_STARTED_ANY_MORE, CancelAnswer.OVER)
        else:
            assert (yes, back, current.state) == (ReviewAnswer.OVER, CancelAnswer.WITHDRAWN, State.CANCELLED)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)  # with SQLite there is one machine and one clock
async def test_an_approval_counts_by_the_databases_clock_whatever_a_replicas_own_says(
    replicas: list[SqlStore], monkeypatch: pytest.MonkeyPatch
) -> None:

    late = MagicMock(wraps=datetime)
    late.now.side_effect = lambda tz=None: datetime.now(tz) + timedelta(days=400)
    await apply(replicas[0])
    one = await scene(replicas[0])
    monkeypatch.setattr("bot.storage.store.datetime", late)
    await tend_approvals(replicas[1])
    assert await one.press(True, store=replicas[1]) is ReviewAnswer.STARTED


# ------------------------------------------------------------------------------------------------- edited in the database


@pytest.mark.parametrize("column", ["inputs", "secrets", "definition_hash", "channel_id", "user_id"])
async def test_a_run_that_was_edited_in_the_database_can_not_be_approved(
    store: SqlStore, database_url: str, column: str
) -> None:
    from bot.storage.tables import runs

    await apply(store)
    one = await scene(store)
    value: Any = {"service": "everything"} if column in ("inputs", "secrets") else "e" * 30
    await store.write(lambda tx: tx.connection.execute(sa.update(runs).values({runs.c[column]: value})))
    assert await one.press(True) is ReviewAnswer.CHANGED
    assert await one.state() == (S.WAITING, State.AWAITING_APPROVAL)
    assert (await whole_chain(store))[-1]["reason"] == "not what was shown"


async def test_a_press_on_what_was_shown_of_another_run_is_not_counted(store: SqlStore) -> None:
    await apply(store)
    one, other = await scene(store, number=1), await scene(store, number=2)
    swapped = Scene(store, replace(other.run, bound_to=one.run.bound_to))
    assert await swapped.press(True) is ReviewAnswer.CHANGED
    assert await other.state() == (S.WAITING, State.AWAITING_APPROVAL)


async def test_two_replicas_never_wait_for_each_other_in_a_ring(
    replicas: list[SqlStore], caplog: pytest.LogCaptureFixture
) -> None:
    """Presses, withdrawals, reminders and other people's messages, all in groups, on the same rows at the same time."""
    await apply(replicas[0])
    for burst in range(5):
        scenes = [await scene(replicas[0], number=burst * 10 + number) for number in range(6)]
        for one in scenes:
            await one.store.write(partial(_ask_bob, one.run))
        works: list[Awaitable[Any]] = []
        for one in scenes:
            other = Scene(replicas[1], one.run)
            works += [one.press(True), _withdraw(other, ""), other.press(False, CARA), tend_approvals(replicas[0])]
            works += [store.write(partial(_tell_the_news, one.run)) for store in replicas]
        await asyncio.gather(*works)
    assert "deadlock" not in caplog.text.lower()
    assert "failed" not in caplog.text


def _ask_bob(asked: Run, tx: Any) -> None:
    tx.announce_ask(asked, BOB.user_id)


def _tell_the_news(asked: Run, tx: Any) -> None:
    tx.update_asks(asked)
