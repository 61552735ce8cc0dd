from __future__ import annotations

from itertools import product

import pytest

from bot.domain.runs import ENDED, State, may_follow

# Written out once more, by hand: a new move is a decision, and this is where it is made twice.
LEGAL = {
    (State.AWAITING_APPROVAL, State.READY),
    (State.AWAITING_APPROVAL, State.REFUSED),
    (State.AWAITING_APPROVAL, State.EXPIRED),
    (State.AWAITING_APPROVAL, State.CANCELLED),
    (State.AWAITING_APPROVAL, State.NOT_STARTED),
    (State.READY, State.READY),
    (State.READY, State.LAUNCHING),
    (State.READY, State.NOT_STARTED),
    (State.READY, State.CANCELLED),
    (State.LAUNCHING, State.RUNNING),
    (State.LAUNCHING, State.NOT_STARTED),
    (State.LAUNCHING, State.READY),
    (State.LAUNCHING, State.UNKNOWN),
    (State.RUNNING, State.RUNNING),
    (State.RUNNING, State.SUCCEEDED),
    (State.RUNNING, State.FAILED),
    (State.RUNNING, State.CANCELLED),
    (State.RUNNING, State.UNKNOWN),
    (State.UNKNOWN, State.UNKNOWN),
    (State.UNKNOWN, State.RUNNING),
    (State.UNKNOWN, State.NOT_STARTED),
}


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_a_run_moves_only_where_it_may(before: State, after: State) -> None:
    assert may_follow(before, after) is ((before, after) in LEGAL)


@pytest.mark.parametrize("state", State)
def test_nothing_that_may_have_been_sent_is_made_ready_again_but_by_its_own_launch(state: State) -> None:
    assert may_follow(state, State.READY) is (state in (State.AWAITING_APPROVAL, State.READY, State.LAUNCHING))


@pytest.mark.parametrize("state", sorted(set(State) - {State.READY}))
def test_what_was_sent_or_has_ended_is_never_launched_again(state: State) -> None:
    assert not may_follow(state, State.LAUNCHING)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_what_is_over_stays_as_it_ended(state: State) -> None:
    assert not any(may_follow(state, after) for after in State)
