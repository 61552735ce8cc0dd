"""What waits for a person's answer, and what they wait for themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.approvals import Standing
from bot.domain.people import Actor, Kind
from bot.domain.runs import Run
from bot.use_cases.ports import Directory, Reading, Store
from bot.use_cases.review_run import not_theirs

MOST = 200  # open approvals that are looked through, the oldest first


@dataclass(frozen=True, slots=True)
class Pending:
    """Open approvals with their runs: those that the person can answer, and those of the person's own runs."""

    to_answer: Sequence[tuple[Run, Standing]] = ()
    own: Sequence[tuple[Run, Standing]] = ()


async def open_approvals(store: Store) -> list[tuple[Run, Standing]]:
    """Every open approval, oldest first."""

    def question(tx: Reading) -> list[tuple[Run, Standing]]:
        found = ((tx.run(standing.approval.run_id), standing) for standing in tx.open_standings(MOST))
        return [(run, standing) for run, standing in found if run is not None]

    return await store.read(question)


async def pending(actor: Actor, store: Store, directory: Directory) -> Pending:
    """What concerns the person. Raises SlackUnavailable and NotRecorded."""
    every = await open_approvals(store)
    own = [(run, standing) for run, standing in every if run.user_id == actor.user_id]
    if actor.kind is not Kind.MEMBER:
        return Pending(own=own)
    groups = sorted({group for _, standing in every for group in standing.approval.requirement.groups})
    subjects = await directory.subjects(actor, groups)
    return Pending([one for one in every if _may_answer(actor, subjects, *one)], own)


def _may_answer(actor: Actor, subjects: frozenset[str], run: Run, standing: Standing) -> bool:
    answered = any(review.user_id == actor.user_id for review in standing.reviews)
    return not answered and not_theirs(run, standing, actor, subjects) is None
