"""Resolve an *unknown* run by hand: a person has looked in Datadog and says what became of it."""

from __future__ import annotations

from bot.domain.audit import Act, about
from bot.domain.errors import Refused
from bot.domain.runs import Run, State
from bot.use_cases.ports import Store, Writing


async def resolve(run_id: str, instance_id: str | None, by: str, store: Store) -> Run:
    """It runs as `instance_id` and is followed from now on; None: it was never started.

    Raises Refused where the run is not *unknown* (any more), and NotRecorded.
    """

    def work(tx: Writing) -> Run | Refused:
        run = tx.run(run_id)
        if run is None:
            raise Refused(f"There is no run {run_id}. `runs list --state unknown` shows those that can be resolved.")
        if reason := _refusal(tx, run, instance_id):
            tx.record(about(run, Act.RESOLVE_REFUSED, "", by, request_id="", reason=reason, instance=instance_id))
            return Refused(reason)
        after = State.RUNNING if instance_id else State.NOT_STARTED
        moved = tx.move_run(
            run.id,
            run.token,
            {State.UNKNOWN},
            after,
            instance_id=instance_id,
            looks=0,
            due=tx.now if instance_id else None,
            ended_at=None if instance_id else tx.now,
            sealed=run.sealed if instance_id else None,
            error=None if instance_id else f"{by} looked in Datadog: it was never started.",
            status="",
        )
        if moved is None:
            raise Refused(f"Run {run_id} has just changed. Look at it again: runs show {run_id}")
        facts = {"instance": instance_id, "state": after.value, "how": "by hand"}
        tx.record(about(moved, Act.RESOLVED, "", by, request_id="", **facts))
        tx.announce_run(moved, tx.now)
        tx.update_asks(moved)
        if not instance_id:
            tx.announce_end(moved)
        return moved

    answer = await store.write(work)
    if isinstance(answer, Refused):
        raise answer
    return answer


def _refusal(tx: Writing, run: Run, instance_id: str | None) -> str:
    if run.state is not State.UNKNOWN:
        return f"Run {run.id} is {run.state.value}: only an unknown run can be resolved."
    if instance_id and tx.instances_taken([instance_id]) - {run.instance_id}:
        return f"Instance {instance_id} belongs to another run."
    return ""
