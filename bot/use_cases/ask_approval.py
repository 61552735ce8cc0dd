"""Ask for a run's approval, or break the glass: the approval as a row, its record, and whom to tell of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from bot.domain.approvals import REASON_LIMIT, Approval, ApprovalState, Requirement
from bot.domain.audit import Act, about
from bot.domain.policy import EVERYONE, Decision
from bot.domain.runs import Run, State
from bot.use_cases.ports import Writing


def ask_approval(tx: Writing, run: Run, decision: Decision, requirement: Requirement, reason: str) -> Approval:
    """Open the approval of a run that waits for it, or the review of one that was started with broken glass."""
    glass = run.state is not State.AWAITING_APPROVAL
    lasts = (requirement.break_glass or timedelta()) if glass else requirement.expires
    opened = Approval(
        run_id=run.id,
        state=ApprovalState.REVIEW_OPEN if glass else ApprovalState.WAITING,
        requirement=requirement,
        bound_to=run.bound_to,
        reason=reason[:REASON_LIMIT],
        rule=decision.rule,
        asked_at=tx.now,
        expires_at=tx.now + lasts,
    )
    tx.open_approval(opened, due=opened.next_due(tx.now))
    act = Act.GLASS_BROKEN if glass else Act.APPROVAL_ASKED
    tx.record(about(run, act, **approval_facts(run, opened), reason_given=opened.reason, **_asked_of(opened)))
    tell_approvers(tx, run, opened, requirement.subjects_now(escalated=False))
    return opened


def approval_facts(run: Run, approval: Approval) -> dict[str, Any]:
    """What every record about an approval names."""
    return {"bound_to": approval.bound_to, "policy": run.policy_version, "rule": approval.rule}


def _asked_of(approval: Approval) -> dict[str, Any]:
    requirement = approval.requirement
    return {
        "asks_for": requirement.words,
        "approvers": list(requirement.subjects),
        "until": approval.expires_at.isoformat(),
        "step_up": requirement.step_up,
        "requester_may_approve": requirement.own,
    }


def tell_approvers(tx: Writing, run: Run, approval: Approval, subjects: Iterable[str]) -> None:
    """Have the approvers asked: in the rule's channel, or each by themselves. A place that was asked before is not asked
    twice."""
    requirement = approval.requirement
    places = [requirement.channel] if requirement.channel else list(subjects)
    for place in places:
        if may_be_asked(run, requirement, place):
            tx.announce_ask(run, place)


def may_be_asked(run: Run, requirement: Requirement, place: str) -> bool:
    """Not the requester, who may not answer, and not everyone, who is asked in a channel alone."""
    return place != EVERYONE and (place != run.user_id or requirement.own)
