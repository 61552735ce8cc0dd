"""Approval: what a rule asks for, what an approval is bound to, and which event may follow which state.

An approval belongs to one run. It is bound to a hash of workflow, definition and exact inputs, so what was approved is what
runs. People who answer leave a review, one each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import rfc8785

from bot.domain.runs import Run

OVERDUE_REMINDER = timedelta(days=1)  # between the reminders of an overdue review
REASON_LIMIT = 1000  # characters of a reason, and of an approver's comment
LONGEST_WAIT = timedelta(days=30)  # for an approval, and for a review of broken glass


class ApprovalState(StrEnum):
    """Where an approval is. *review open*: broken glass, the run has started and somebody has still to look at it."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REVIEW_OPEN = "review open"
    REVIEWED = "reviewed"


class ApprovalEvent(StrEnum):
    """What can happen to an approval. *complete* is the approval after which nothing is needed any more."""

    APPROVE = "approve"
    COMPLETE = "complete"
    REFUSE = "refuse"
    EXPIRE = "expire"
    WITHDRAW = "withdraw"
    REMIND = "remind"
    ESCALATE = "escalate"
    SIGN_OFF = "sign off"


_AFTER: Mapping[tuple[ApprovalState, ApprovalEvent], ApprovalState] = {
    (ApprovalState.WAITING, ApprovalEvent.APPROVE): ApprovalState.WAITING,
    (ApprovalState.WAITING, ApprovalEvent.COMPLETE): ApprovalState.APPROVED,
    (ApprovalState.WAITING, ApprovalEvent.REFUSE): ApprovalState.REFUSED,
    (ApprovalState.WAITING, ApprovalEvent.EXPIRE): ApprovalState.EXPIRED,
    (ApprovalState.WAITING, ApprovalEvent.WITHDRAW): ApprovalState.WITHDRAWN,
    (ApprovalState.WAITING, ApprovalEvent.REMIND): ApprovalState.WAITING,
    (ApprovalState.WAITING, ApprovalEvent.ESCALATE): ApprovalState.WAITING,
    (ApprovalState.REVIEW_OPEN, ApprovalEvent.REMIND): ApprovalState.REVIEW_OPEN,
    (ApprovalState.REVIEW_OPEN, ApprovalEvent.ESCALATE): ApprovalState.REVIEW_OPEN,
    (ApprovalState.REVIEW_OPEN, ApprovalEvent.SIGN_OFF): ApprovalState.REVIEWED,
}

# Something has still to happen to it.
OPEN_APPROVALS = frozenset({ApprovalState.WAITING, ApprovalState.REVIEW_OPEN})


def after(state: ApprovalState, event: ApprovalEvent) -> ApprovalState | None:
    """The state that follows, or None where the event is not for this state: then nothing changes."""
    return _AFTER.get((state, event))


@dataclass(frozen=True, slots=True)
class Quorum:
    """`count` different people, each known by one of `subjects` (ids of users and user groups). `name` is the policy's."""

    name: str
    subjects: tuple[str, ...]
    count: int = 1


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a rule asks for before a run starts.

    `channel` is where approvers are asked, empty for direct messages. After `escalate_after` the people of `escalate_to`
    may answer for anybody. `own` lets the requester approve. `break_glass` is how soon a run that was started without
    approval has to be reviewed; None: the rule doesn't allow that.
    """

    quorums: tuple[Quorum, ...]
    expires: timedelta
    remind: timedelta
    channel: str = ""
    escalate_after: timedelta | None = None
    escalate_to: Quorum | None = None
    own: bool = False
    step_up: bool = False
    break_glass: timedelta | None = None

    @property
    def count(self) -> int:
        """How many people have to approve."""
        return sum(quorum.count for quorum in self.quorums)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody who may be asked, those of the escalation included."""
        return self.subjects_now(escalated=True)

    def subjects_now(self, *, escalated: bool) -> tuple[str, ...]:
        """Who may answer before the escalation, or after it."""
        later = self.escalate_to.subjects if escalated and self.escalate_to else ()
        return tuple(dict.fromkeys([*(s for quorum in self.quorums for s in quorum.subjects), *later]))

    @property
    def groups(self) -> frozenset[str]:
        """The Slack user groups among them."""
        return frozenset(subject for subject in self.subjects if subject.startswith("S"))

    @property
    def words(self) -> str:
        """As a person says it: `2 of managers`, `1 of managers and 1 of security`."""
        return people_needed(self.quorums)


def people_needed(quorums: Sequence[Quorum]) -> str:
    """Quorums as a person says them."""
    return " and ".join(f"{quorum.count} of {quorum.name}" for quorum in quorums)


@dataclass(frozen=True, slots=True)
class Review:
    """One person's answer. `fits` are the numbers of the quorums that the person could count for at that moment.

    `bound_to` is the hash that they saw; `own` where the requester answered and the rule lets them.
    """

    run_id: str
    user_id: str
    user_name: str
    approves: bool
    comment: str
    at: datetime
    fits: tuple[int, ...]
    bound_to: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class Approval:
    """The approval of one run. `expires_at` is, for broken glass, until when it has to be reviewed.

    `rule` is the number of the rule that asks. All moments are the database's.
    """

    run_id: str
    state: ApprovalState
    requirement: Requirement
    bound_to: str
    reason: str
    rule: int
    asked_at: datetime
    expires_at: datetime
    escalated: bool = False
    decided_at: datetime | None = None

    @property
    def quorums(self) -> tuple[Quorum, ...]:
        """Who may answer now: after the escalation its people count for every quorum, and are named first."""
        more = self.requirement.escalate_to
        if not self.escalated or more is None:
            return self.requirement.quorums
        return tuple(
            Quorum(f"{q.name} or {more.name}", tuple(dict.fromkeys([*more.subjects, *q.subjects])), q.count)
            for q in self.requirement.quorums
        )

    def fits(self, subjects: frozenset[str]) -> tuple[int, ...]:
        """The numbers of the quorums for which somebody known by `subjects` counts; empty: they may not answer."""
        return tuple(number for number, quorum in enumerate(self.quorums) if subjects & set(quorum.subjects))

    @property
    def escalates_at(self) -> datetime | None:
        """When others are asked too; None: never, or they have been."""
        after = self.requirement.escalate_after
        return None if after is None or self.escalated else self.asked_at + after

    def next_due(self, now: datetime) -> datetime:
        """When to look at it next: at its expiry, or before for a reminder or the escalation. A review is reminded of once
        before its time is over, and then every day."""
        times = [now + self._reminded_after(now), self.escalates_at, self.expires_at]
        return min(at for at in times if at is not None and at > now)

    def _reminded_after(self, now: datetime) -> timedelta:
        if self.state is not ApprovalState.REVIEW_OPEN:
            return self.requirement.remind
        return OVERDUE_REMINDER if now >= self.expires_at else (self.expires_at - self.asked_at) / 2


def binding(run: Run) -> str:
    """The hash that an approval is bound to: workflow, account, definition, requester, place and the exact inputs.

    SHA-256 over canonical JSON (RFC 8785). Secrets count by their fingerprints.
    """
    facts: dict[str, Any] = {
        "run": run.id,
        "workflow": run.workflow,
        "datadog_workflow": run.datadog_id,
        "account": run.account,
        "definition": run.definition_hash,
        "team": run.team_id,
        "user": run.user_id,
        "channel": run.channel_id,
        "inputs": dict(run.inputs),
        "secret_inputs": dict(run.secrets),
    }
    return hashlib.sha256(rfc8785.dumps(facts)).hexdigest()


@dataclass(frozen=True, slots=True)
class Standing:
    """An approval with the answers so far, oldest first: what people are shown."""

    approval: Approval
    reviews: Sequence[Review] = ()

    @property
    def needed(self) -> tuple[Quorum, ...]:
        """What is missing still; empty once it is complete."""
        return still_needed(self.approval.quorums, self.reviews)

    @property
    def approvers(self) -> tuple[str, ...]:
        """The ids of those who approved."""
        return tuple(review.user_id for review in self.reviews if review.approves)

    @property
    def refusal(self) -> Review | None:
        return next((review for review in self.reviews if not review.approves), None)


def still_needed(quorums: Sequence[Quorum], reviews: Sequence[Review]) -> tuple[Quorum, ...]:
    """What is missing: each approval counts once, and people who fit several quorums are placed where they help most."""
    return _unfilled(quorums, [review.fits for review in reviews if review.approves])


def can_be_given(asked: Requirement, requester: str = "") -> bool:
    """Whether the people whom the rule names can fill it for this requester; user groups and everyone hold enough people.

    Those of the escalation count too, as they are asked in the end. One's own broken glass is for somebody else to review.
    """
    up = asked.escalate_to.subjects if asked.escalate_to else ()
    quorums = [Quorum(q.name, (*q.subjects, *up), q.count) for q in asked.quorums]
    closed = [quorum for quorum in quorums if all(subject.startswith(("U", "W")) for subject in quorum.subjects)]
    others = {subject for quorum in closed for subject in quorum.subjects if subject != requester}
    if asked.break_glass is not None and len(closed) == len(quorums) and not others:
        return False
    people = sorted(others | {requester} if asked.own and requester else others)
    fits = [tuple(n for n, quorum in enumerate(closed) if person in quorum.subjects) for person in people]
    return not _unfilled(closed, fits)


def _unfilled(quorums: Sequence[Quorum], people: Sequence[tuple[int, ...]]) -> tuple[Quorum, ...]:
    """What is missing with these people, each known by the numbers of the quorums that they fit."""
    slots = [number for number, quorum in enumerate(quorums) for _ in range(quorum.count)]
    holders: dict[int, tuple[int, ...]] = {}  # slot -> who fills it
    for fits in people:
        _place(fits, slots, holders, set())
    free = [slots[index] for index in range(len(slots)) if index not in holders]
    return tuple(Quorum(q.name, q.subjects, free.count(n)) for n, q in enumerate(quorums) if n in free)


def _place(fits: tuple[int, ...], slots: Sequence[int], holders: dict[int, tuple[int, ...]], tried: set[int]) -> bool:
    """Give the person a slot, moving others where that makes room (an augmenting path of a bipartite matching)."""
    for index, number in enumerate(slots):
        if number not in fits or index in tried:
            continue
        tried.add(index)
        if index not in holders or _place(holders[index], slots, holders, tried):
            holders[index] = fits
            return True
    return False
