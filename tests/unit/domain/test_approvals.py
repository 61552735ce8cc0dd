from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals import (
    Approval,
    ApprovalEvent,
    ApprovalState,
    Quorum,
    Requirement,
    Review,
    Standing,
    after,
    binding,
    still_needed,
)
from tests.made_up import NOON, run

S, E = ApprovalState, ApprovalEvent

# Written out once more, by hand: a new move is a decision, and this is where it is made twice.
MOVES = {
    (S.WAITING, E.APPROVE): S.WAITING,
    (S.WAITING, E.COMPLETE): S.APPROVED,
    (S.WAITING, E.REFUSE): S.REFUSED,
    (S.WAITING, E.EXPIRE): S.EXPIRED,
    (S.WAITING, E.WITHDRAW): S.WITHDRAWN,
    (S.WAITING, E.REMIND): S.WAITING,
    (S.WAITING, E.ESCALATE): S.WAITING,
    (S.REVIEW_OPEN, E.REMIND): S.REVIEW_OPEN,
    (S.REVIEW_OPEN, E.ESCALATE): S.REVIEW_OPEN,
    (S.REVIEW_OPEN, E.SIGN_OFF): S.REVIEWED,
}
MANAGERS, SECURITY = Quorum("managers", ("U02BOB", "S01MANAGERS")), Quorum("security", ("U03CARA",))
APPROVAL = Approval(
    run_id="R-0123456789",
    state=S.WAITING,
    requirement=Requirement((MANAGERS,), expires=timedelta(hours=1), remind=timedelta(minutes=20)),
    bound_to="b" * 64,
    reason="why",
    rule=1,
    asked_at=NOON,
    expires_at=NOON + timedelta(hours=1),
)


def given_by(user: str, *fits: int, approves: bool = True) -> Review:
    return Review("R-0123456789", user, user, approves, "", NOON, fits, "b" * 64)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(S, E)))
def test_an_approval_moves_only_where_it_may(state: ApprovalState, event: ApprovalEvent) -> None:
    assert after(state, event) is MOVES.get((state, event))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "R-OTHER"},
        {"workflow": "other"},
        {"datadog_id": "other"},
        {"account": "eu"},
        {"definition_hash": "e" * 64},
        {"user_id": "U02BOB"},
        {"team_id": "T02"},
        {"channel_id": "C02"},
        {"inputs": {"service": "api"}},
        {"inputs": {"service": "web", "env": None}},
        {"secrets": {"token": "0123456789abcdef"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_approval_is_bound_to_everything_that_makes_a_run_what_it_is(change: dict[str, Any]) -> None:
    assert binding(run(**change)) != binding(run())


@pytest.mark.parametrize("change", [{"token": 7}, {"user_name": "Alicia"}, {"bound_to": "x"}, {"attempts": 2}], ids=str)
def test_what_the_bot_notes_on_the_way_does_not_change_what_was_approved(change: dict[str, Any]) -> None:
    assert binding(run(**change)) == binding(run())


QUORUMS = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(
    lambda counts: [Quorum(f"q{number}", (), count) for number, count in enumerate(counts)]
)
ANSWERS = st.lists(st.sets(st.integers(0, 2), min_size=1), max_size=6)


def most_filled(quorums: list[Quorum], fits: list[set[int]]) -> int:
    """By trying every way to give each person a place, or none."""
    best = 0
    for places in itertools.product(*[[None, *sorted(one)] for one in fits]):
        counts = [sum(place == number for place in places) for number in range(len(quorums))]
        best = max(best, sum(min(count, quorum.count) for count, quorum in zip(counts, quorums, strict=True)))
    return best


@given(QUORUMS, ANSWERS)
def test_each_approval_counts_once_and_where_it_helps_most(quorums: list[Quorum], fits: list[set[int]]) -> None:
    known = [{number for number in one if number < len(quorums)} for one in fits]
    reviews = [given_by(f"U{number}", *sorted(one)) for number, one in enumerate(known)]
    missing = sum(quorum.count for quorum in still_needed(quorums, reviews))
    assert missing == sum(quorum.count for quorum in quorums) - most_filled(quorums, known)


@given(QUORUMS, ANSWERS, st.randoms())
def test_the_order_of_approvals_does_not_count(quorums: list[Quorum], fits: list[set[int]], chance: Any) -> None:
    reviews = [given_by(f"U{number}", *sorted(one)) for number, one in enumerate(fits)]
    shuffled = list(reviews)
    chance.shuffle(shuffled)
    assert bool(still_needed(quorums, reviews)) is bool(still_needed(quorums, shuffled))


def test_a_refusal_is_no_approval() -> None:
    assert still_needed([MANAGERS], [given_by("U02BOB", 0, approves=False)]) == (MANAGERS,)


def test_after_the_escalation_its_people_count_for_every_quorum() -> None:
    asked = replace(
        APPROVAL.requirement,
        quorums=(MANAGERS, SECURITY),
        escalate_to=Quorum("directors", ("U04DAN",)),
        remind=NOON - NOON,
    )
    before, escalated = replace(APPROVAL, requirement=asked), replace(APPROVAL, requirement=asked, escalated=True)
    assert before.fits(frozenset({"U04DAN"})) == ()
    assert escalated.fits(frozenset({"U04DAN"})) == (0, 1)
    assert escalated.fits(frozenset({"U03CARA", "S01MANAGERS"})) == (0, 1)
    assert Standing(escalated, []).needed[0].name == "managers or directors"


def test_it_is_looked_at_when_it_is_to_be_reminded_of_escalated_or_over() -> None:
    at = [APPROVAL.next_due(NOON + timedelta(minutes=minutes)) - NOON for minutes in (0, 30, 45, 70)]
    assert at == [timedelta(minutes=minutes) for minutes in (20, 50, 60, 90)]
    up = replace(APPROVAL, requirement=replace(APPROVAL.requirement, escalate_after=timedelta(minutes=5)))
    assert up.next_due(NOON) == NOON + timedelta(minutes=5)
    assert replace(up, escalated=True).next_due(NOON) == NOON + timedelta(minutes=20)


def test_a_review_is_reminded_of_once_before_its_time_is_over_and_then_every_day() -> None:
    open_review = replace(APPROVAL, state=S.REVIEW_OPEN, expires_at=NOON + timedelta(hours=10))
    assert open_review.next_due(NOON) == NOON + timedelta(hours=5)
    assert open_review.next_due(NOON + timedelta(hours=5)) == NOON + timedelta(hours=10)
    assert open_review.next_due(NOON + timedelta(hours=10)) == NOON + timedelta(hours=34)
