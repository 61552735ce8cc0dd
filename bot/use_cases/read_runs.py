"""What a person may see of runs: their own; admins, everyone's."""

from __future__ import annotations

from collections.abc import Collection

from bot.domain.approvals import Standing
from bot.domain.runs import Run
from bot.use_cases.ports import Store


async def latest_runs(user_id: str, limit: int, store: Store) -> list[Run]:
    """The person's own runs, newest first."""
    return await store.read(lambda tx: tx.runs(limit, user_id=user_id))


async def one_run(run_id: str, user_id: str, admins: Collection[str], store: Store) -> Run | None:
    """The run, where it is the person's own or the person is an admin; else None, as if there were none."""
    run = await store.read(lambda tx: tx.run(run_id.strip().upper()))
    return run if run is not None and (run.user_id == user_id or user_id in admins) else None


async def standing_of(run: Run, store: Store) -> Standing | None:
    """How the run's approval stands; None where it needs none."""
    return await store.read(lambda tx: tx.standing(run.id))
