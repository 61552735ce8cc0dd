"""What approvers are shown, whatever a run holds: Slack takes it, it says how things stand, and nobody can forge it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.approvals import Approval, ApprovalState, Quorum, Requirement, Review, Standing
from bot.domain.runs import State
from bot.slack.blocks.approval_message import approval_message, reminder
from bot.slack.blocks.approval_words import progress_text
from bot.slack.blocks.review_modal import headline
from bot.slack.blocks.run_words import STEP_MARKS
from tests.made_up import NOON, run

MANAGERS = Quorum("managers", ("U02BOB", "U03CARA"))
APPROVAL = Approval(
    run_id="R-0123456789",
    state=ApprovalState.WAITING,
    requirement=Requirement((MANAGERS,), expires=timedelta(hours=1), remind=timedelta(minutes=20)),
    bound_to="b" * 64,
    reason="why",
    rule=1,
    asked_at=NOON,
    expires_at=NOON + timedelta(hours=1),
)


def standing(*reviews: Review, state: ApprovalState = ApprovalState.WAITING, **asks: Any) -> Standing:
    return Standing(replace(APPROVAL, state=state, requirement=replace(APPROVAL.requirement, **asks)), reviews)


def said(user: str, comment: str = "", approves: bool = True) -> Review:
    return Review("R-0123456789", user, user, approves, comment, NOON, (0,), "b" * 64)


# ------------------------------------------------------------------------------------------------------- broken glass


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": State.READY}, "is being started"),
        ({"state": State.RUNNING, "instance_id": "i"}, "was started"),
        ({"state": State.FAILED, "instance_id": "i"}, "was started"),
        ({"state": State.NOT_STARTED}, "was not started"),
        ({"state": State.CANCELLED}, "was not started"),
        ({"state": State.CANCELLED, "instance_id": "i"}, "was started"),
        ({"state": State.UNKNOWN}, "may have been started"),
    ],
    ids=str,
)
def test_broken_glass_is_said_to_have_started_only_what_was_started(changes: dict[str, Any], words: str) -> None:
    glass, one = standing(state=ApprovalState.REVIEW_OPEN), run(**changes)
    says = f"{words} without approval"
    assert says in headline(one, glass)
    assert says in headline(one, standing(said("U02BOB"), state=ApprovalState.REVIEWED))
    assert says in reminder(one, glass)
    assert says in approval_message(one, glass)[0]
    begins = words.removeprefix("was ").capitalize()
    assert progress_text(one, glass).startswith(f"{begins} *without approval*")


def test_marks_of_steps_are_by_datadogs_own_states() -> None:
    assert not set(STEP_MARKS) & {state.value for state in State}
