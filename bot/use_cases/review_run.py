"""Answer the question whether a run may start: approve, refuse, or sign off one that was started with broken glass.

Everything is decided in one transaction that holds the approval's row, so of two presses at the same instant each is
counted once, on any replica. The answer that completes an approval lets the run start in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.domain.approvals import REASON_LIMIT, ApprovalEvent, ApprovalState, Review, Standing, after, binding
from bot.domain.audit import Act, about
from bot.domain.people import Actor, Kind
from bot.domain.runs import Run
from bot.use_cases.approval_outcome import Requester, complete, expire, refuse
from bot.use_cases.ask_approval import approval_facts
from bot.use_cases.check_code import CodeAnswer, check_code
from bot.use_cases.ports import OneTimeCodes, Store, Writing


class ReviewAnswer(StrEnum):
    """What became of a person's answer."""

    COUNTED = "counted, more are needed"
    STARTED = "approved, and it starts"
    NOT_STARTED = "approved, and it can't start"
    REFUSED = "refused"
    SIGNED_OFF = "signed off"
    ANSWERED_BEFORE = "answered before"
    OVER = "decided already"
    OWN = "the requester's own run"
    NOT_AN_APPROVER = "not an approver"
    CHANGED = "not what was shown"
    NO_SUCH_APPROVAL = "no such approval"
    CODE_NEEDED = "a one-time code is needed"
    CODE_WRONG = "the one-time code is wrong"
    CODE_BLOCKED = "too many wrong codes"
    NO_AUTHENTICATOR = "no authenticator yet"


@dataclass(frozen=True, slots=True)
class Press:
    """One person's answer. `subjects` were asked of Slack for this press; `bound_to` is the hash of what they were shown.

    `code` is what they typed from their authenticator; None: they weren't asked for one yet. `request_id` is the request in
    which they pressed.
    """

    actor: Actor
    subjects: frozenset[str]
    run_id: str
    bound_to: str
    approves: bool
    comment: str = ""
    code: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What became of it, with the run and the approval as they are now."""

    answer: ReviewAnswer
    run: Run | None = None
    standing: Standing | None = None


async def review(press: Press, requester: Requester, store: Store, codes: OneTimeCodes) -> Reviewed:
    """Count the answer. `requester` is who asked for the run, as Slack knows them now.

    Raises NotRecorded: then nothing was counted. The started run is this process's to launch.
    """
    return await store.write(lambda tx: _review(tx, press, requester, codes), starts=True)


def _review(tx: Writing, press: Press, requester: Requester, codes: OneTimeCodes) -> Reviewed:
    standing, run = tx.hold_approval(press.run_id), tx.run(press.run_id)
    if standing is None or run is None:
        return Reviewed(ReviewAnswer.NO_SUCH_APPROVAL)
    denied = not_theirs(run, standing, press.actor, press.subjects) or _changed(run, standing, press)
    if denied is not None:
        facts = approval_facts(run, standing.approval)
        tx.record(_by(press, run, Act.REVIEW_DENIED, reason=denied.value, approves=press.approves, **facts))
        return Reviewed(denied, run, standing)
    if standing.approval.state is ApprovalState.WAITING and standing.approval.expires_at <= tx.now:
        expire(tx, run, standing.approval)
        return _now(tx, ReviewAnswer.OVER, run)
    event = _event(standing, press)
    if after(standing.approval.state, event) is None:
        return Reviewed(ReviewAnswer.OVER, run, standing)
    if any(review.user_id == press.actor.user_id for review in standing.reviews):
        return Reviewed(ReviewAnswer.ANSWERED_BEFORE, run, standing)
    if standing.approval.requirement.step_up and press.approves:
        wrong = check_code(tx, press.actor, press.code, codes)
        if wrong is not None:
            return Reviewed(_CODES[wrong], run, standing)
    given = _given(tx, run, press, standing.approval.fits(press.subjects))
    if not tx.add_review(given):
        return Reviewed(ReviewAnswer.ANSWERED_BEFORE, run, standing)
    return _count(tx, run, Standing(standing.approval, [*standing.reviews, given]), press, requester)


def not_theirs(run: Run, standing: Standing, actor: Actor, subjects: frozenset[str]) -> ReviewAnswer | None:
    """Why this person may not answer; None: they may. Guests and people from outside never may, whatever lets them run
    workflows, and one's own broken glass is never one's own to sign off."""
    approval = standing.approval
    if actor.kind is not Kind.MEMBER or actor.team_id != run.team_id or not approval.fits(subjects):
        return ReviewAnswer.NOT_AN_APPROVER
    counts = approval.requirement.own and approval.state is ApprovalState.WAITING
    return ReviewAnswer.OWN if actor.user_id == run.user_id and not counts else None


def _changed(run: Run, standing: Standing, press: Press) -> ReviewAnswer | None:
    same = press.bound_to == standing.approval.bound_to == run.bound_to == binding(run)
    return None if same else ReviewAnswer.CHANGED


def _event(standing: Standing, press: Press) -> ApprovalEvent:
    if standing.approval.state is ApprovalState.REVIEW_OPEN:
        return ApprovalEvent.SIGN_OFF
    return ApprovalEvent.APPROVE if press.approves else ApprovalEvent.REFUSE


def _given(tx: Writing, run: Run, press: Press, fits: tuple[int, ...]) -> Review:
    return Review(
        run_id=run.id,
        user_id=press.actor.user_id,
        user_name=press.actor.name,
        approves=press.approves,
        comment=press.comment.strip()[:REASON_LIMIT],
        at=tx.now,
        fits=fits,
        bound_to=press.bound_to,
        own=press.actor.user_id == run.user_id,
    )


def _count(tx: Writing, run: Run, standing: Standing, press: Press, requester: Requester) -> Reviewed:
    approval, given = standing.approval, standing.reviews[-1]
    facts: dict[str, Any] = {**approval_facts(run, approval), "comment": given.comment, "own": given.own}
    if approval.state is ApprovalState.REVIEW_OPEN:
        tx.move_approval(approval, ApprovalState.REVIEWED, due=None, decided_at=tx.now)
        tx.record(_by(press, run, Act.REVIEWED, agrees=given.approves, **facts))
        tx.update_asks(run)
        tx.announce_run(run, tx.now)
        return _now(tx, ReviewAnswer.SIGNED_OFF, run)
    if not given.approves:
        tx.record(_by(press, run, Act.REFUSED, **facts))
        refuse(tx, run, approval)
        return _now(tx, ReviewAnswer.REFUSED, run)
    still = [quorum.name for quorum in standing.needed for _ in range(quorum.count)]
    step_up = approval.requirement.step_up
    tx.record(_by(press, run, Act.APPROVED, still_needed=still, one_time_code=step_up, **facts))
    if still:
        tx.update_asks(run)
        tx.announce_run(run, tx.now)
        return _now(tx, ReviewAnswer.COUNTED, run)
    started = complete(tx, run, standing, requester)
    return _now(tx, ReviewAnswer.STARTED if started else ReviewAnswer.NOT_STARTED, run)


def _now(tx: Writing, answer: ReviewAnswer, run: Run) -> Reviewed:
    return Reviewed(answer, tx.run(run.id), tx.standing(run.id))


def _by(press: Press, run: Run, act: Act, **facts: Any) -> Any:
    by = {"team_id": press.actor.team_id, "request_id": press.request_id}
    return about(run, act, press.actor.user_id, press.actor.name, **by, **facts)


_CODES = {
    CodeAnswer.NEEDED: ReviewAnswer.CODE_NEEDED,
    CodeAnswer.WRONG: ReviewAnswer.CODE_WRONG,
    CodeAnswer.BLOCKED: ReviewAnswer.CODE_BLOCKED,
    CodeAnswer.NO_AUTHENTICATOR: ReviewAnswer.NO_AUTHENTICATOR,
}
