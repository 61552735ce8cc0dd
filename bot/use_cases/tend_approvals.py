"""Look after the approvals that are due: expire, ask others too, remind those who haven't answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from bot.domain.approvals import ApprovalState, Standing
from bot.domain.audit import Act, about
from bot.domain.errors import NotRecorded
from bot.domain.runs import Run
from bot.use_cases import pace
from bot.use_cases.approval_outcome import expire
from bot.use_cases.ask_approval import approval_facts, tell_approvers
from bot.use_cases.ports import ASK, Store, Writing
from bot.use_cases.telemetry import COME_ROUND

TOGETHER = 20  # approvals in one transaction

log = logging.getLogger(__name__)


async def tend(store: Store, announce: Callable[[], None], stopping: asyncio.Event) -> None:
    """Do what is due until `stopping` is set. A database that is away is waited for.

    A loop of its own: whatever goes wrong with an approval, runs are launched and followed.
    """
    pause = pace.POLL
    while not stopping.is_set():
        COME_ROUND.get()()
        try:
            if await store.read(lambda tx: tx.approvals_due()):
                await tend_approvals(store)
                announce()
            pause = pace.POLL
        except NotRecorded as error:
            log.error("can't look for due approvals, trying again in %.0f s: %s", pause, error.cause)
            pause = min(pace.LONGEST_PAUSE, pause * 2)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)


async def tend_approvals(store: Store) -> None:
    """Do what is due now. Raises NotRecorded."""
    await store.write(_tend, starts=True)


def _tend(tx: Writing) -> None:
    for standing in tx.hold_due_approvals(TOGETHER):
        run = tx.run(standing.approval.run_id)
        if run is not None:
            _one(tx, run, standing)


def _one(tx: Writing, run: Run, standing: Standing) -> None:
    approval = standing.approval
    over = approval.expires_at <= tx.now
    if over and approval.state is ApprovalState.WAITING:
        expire(tx, run, approval)
        return
    escalates = approval.escalates_at is not None and approval.escalates_at <= tx.now
    moved = tx.move_approval(
        approval, approval.state, due=approval.next_due(tx.now), escalated=approval.escalated or escalates
    )
    if moved is None:
        return
    if escalates and moved.requirement.escalate_to is not None:
        to = moved.requirement.escalate_to
        tx.record(about(run, Act.ESCALATED, to=list(to.subjects), **approval_facts(run, moved)))
        tell_approvers(tx, run, moved, to.subjects)
    if not escalates or moved.requirement.channel:
        _remind(tx, run, standing)
    tx.update_asks(run)


def _remind(tx: Writing, run: Run, standing: Standing) -> None:
    answered = {review.user_id for review in standing.reviews}
    for message in tx.messages(run.id):
        place = message.kind.removeprefix(ASK)
        if message.kind.startswith(ASK) and place not in answered and not place.startswith("S"):
            tx.announce_reminder(run, place)
