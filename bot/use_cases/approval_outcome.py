"""What follows from an approval: the run starts, or it doesn't, and everybody who was asked is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.domain.approvals import Approval, ApprovalState, Requirement, Standing
from bot.domain.audit import Act, about
from bot.domain.people import Actor, Kind
from bot.domain.policy import Decision, Reason, Verdict, decide
from bot.domain.runs import OPERATOR, Run, State
from bot.use_cases import pace
from bot.use_cases.ask_approval import approval_facts
from bot.use_cases.obstacles import obstacle
from bot.use_cases.ports import Reading, Writing

CHANGED = "The workflow or its policy was changed after this was asked for"


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asked for a run, and everything that a rule can know them by, as Slack says now."""

    actor: Actor
    subjects: frozenset[str]
    admitted: frozenset[Kind]


def complete(tx: Writing, run: Run, standing: Standing, requester: Requester) -> Run | None:
    """Nothing is needed any more: let the run start, unless it may not by now. None: it doesn't start, and says why."""
    approval = standing.approval
    tx.move_approval(approval, ApprovalState.APPROVED, due=None, decided_at=tx.now)
    tx.update_asks(run)
    entry = tx.entry(run.workflow)
    why = _why_not(tx, run, approval, requester)
    if why is not None:
        _stop(tx, run, State.NOT_STARTED, error=why)
        tx.record(about(run, Act.LAUNCH_REFUSED, error=why, **approval_facts(run, approval)))
        return None
    moved = tx.move_run(
        run.id,
        run.token,
        {State.AWAITING_APPROVAL},
        State.READY,
        due=tx.now + pace.LEASE,
        accepted_at=tx.now,
        lock_key=entry.lock_key(run.inputs) if entry else None,
    )
    if moved is not None:
        tx.announce_run(moved, tx.now + pace.QUIET)
        tx.announce_approved(moved)
    return moved


def refuse(tx: Writing, run: Run, approval: Approval) -> None:
    """Somebody has said no: one refusal is enough."""
    tx.move_approval(approval, ApprovalState.REFUSED, due=None, decided_at=tx.now)
    _stop(tx, run, State.REFUSED)


def expire(tx: Writing, run: Run, approval: Approval) -> None:
    """Its time is over, by the database's clock."""
    tx.move_approval(approval, ApprovalState.EXPIRED, due=None, decided_at=tx.now)
    _stop(tx, run, State.EXPIRED)
    tx.record(about(run, Act.EXPIRED, until=approval.expires_at.isoformat(), **approval_facts(run, approval)))


def withdraw(tx: Writing, run: Run, approval: Approval, user_id: str, user_name: str, request_id: str) -> Run | None:
    """The requester, or somebody who may cancel the run, has taken the question back."""
    tx.move_approval(approval, ApprovalState.WITHDRAWN, due=None, decided_at=tx.now)
    moved = _stop(tx, run, State.CANCELLED, cancel_by=user_id or OPERATOR)
    facts = approval_facts(run, approval)
    tx.record(about(run, Act.WITHDRAWN, user_id, user_name, request_id=request_id, **facts))
    return moved


def _stop(tx: Writing, run: Run, state: State, **changes: Any) -> Run | None:
    moved = tx.move_run(
        run.id, run.token, {State.AWAITING_APPROVAL}, state, due=None, sealed=None, ended_at=tx.now, **changes
    )
    if moved is not None:
        tx.announce_run(moved, tx.now)
        tx.announce_end(moved)
    return moved


def _protects_as(now: Requirement, then: Requirement) -> bool:
    """Whether what was asked for is what is asked for now: the same people, as many, and proven alike."""
    return (now.quorums, now.own, now.step_up) == (then.quorums, then.own, then.step_up)


def _why_not(tx: Reading, run: Run, approval: Approval, requester: Requester) -> str | None:
    """Why what was approved may not start now: the workflow, the rules or what is in the way have changed since."""
    entry = tx.entry(run.workflow)
    if entry is None:
        return "The workflow is not in the catalogue any more. Nothing was started."
    if (entry.definition_hash, entry.account) != (run.definition_hash, run.account):
        return f"{CHANGED}. Nothing was started. Run it again to see its form as it is now."
    decision = Decision(Verdict.DENY, Reason.NOT_A_MEMBER)
    if requester.actor.may_act(requester.admitted):
        grants = tx.grants(requester.subjects, entry.targets)
        decision = decide(grants, requester.subjects, entry, run.channel_id, run.inputs)
    if decision.approval is not None and not _protects_as(decision.approval, approval.requirement):
        decision = Decision(Verdict.DENY, Reason.APPROVAL_CHANGED, decision.rule, decision.words)
    if decision.allowed:
        found = obstacle(tx, entry, run.inputs, run.user_id, tx.now, without=run.id)
        if found is None:
            return None
        decision = found
    because = f" ({decision.words})" if decision.words else ""
    return f"It was approved, and may not start now: {decision.reason.value}{because}. Nothing was started."
