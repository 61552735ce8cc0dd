"""Locks as rows, and the counts that limits are checked against."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.approvals import LONGEST_WAIT
from bot.domain.locks import Lock
from bot.domain.runs import State
from bot.storage.tables import locks, runs

LIMITS_LOCK = 7_126_403_519  # any number that no other program takes for a lock in the same database
OPEN = [state.value for state in (State.READY, State.LAUNCHING, State.RUNNING)]


_LOCKS = sa.select(locks).where(locks.c.until > sa.bindparam("now")).order_by(locks.c.id)
_LOCKS_ON = _LOCKS.where(locks.c.workflow == sa.bindparam("workflow"))


class LockRows:
    """Taking and releasing locks, and counting runs."""

    connection: sa.Connection
    now: datetime

    def locks(self, workflow: str | None = None) -> list[Lock]:
        """The locks that hold, of one workflow or of all."""
        values: dict[str, Any] = {"now": self.now}
        if workflow is not None:
            values["workflow"] = workflow
        rows = self.connection.execute(_LOCKS if workflow is None else _LOCKS_ON, values)
        return [
            Lock(r.workflow, r.conditions, r.owner_id, r.owner_name, r.reason, r.taken_at, r.until, r.id) for r in rows
        ]

    def add_lock(self, lock: Lock) -> int:
        """Take a lock. Returns its id."""
        statement = sa.insert(locks).values(
            workflow=lock.workflow,
            conditions=dict(lock.when),
            owner_id=lock.owner_id,
            owner_name=lock.owner_name,
            reason=lock.reason,
            taken_at=lock.taken_at,
            until=lock.until,
        )
        return int((self.connection.execute(statement.returning(locks.c.id))).scalar_one())

    def remove_lock(self, lock_id: int) -> bool:
        """Release a lock. False where it is gone."""
        return bool((self.connection.execute(sa.delete(locks).where(locks.c.id == lock_id))).rowcount)

    def hold_limits(self) -> None:
        """Make others who start a limited workflow wait for this transaction's end, so that what is counted stays true.

        One lock for all workflows: a group of transactions may need several, and would meet another replica's in a ring.
        SQLite has one writer, who has them wait anyway.
        """
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LIMITS_LOCK)))

    def open_runs(self, workflow: str) -> int:
        """How many runs of the workflow are under way."""
        query = sa.select(sa.func.count()).where(runs.c.workflow == workflow, runs.c.state.in_(OPEN))
        return (self.connection.execute(query)).scalar_one()

    def last_start(self, workflow: str) -> datetime | None:
        """When a run of the workflow was last let start; refused launches don't count."""
        query = sa.select(sa.func.max(runs.c.accepted_at)).where(
            runs.c.workflow == workflow, runs.c.state != State.NOT_STARTED.value
        )
        latest: datetime | None = (self.connection.execute(query)).scalar()
        return latest

    def starts_by(self, workflow: str, user_id: str, since: datetime, without: str = "") -> list[datetime]:
        """When the person has started runs of the workflow since then, oldest first; what waits for approval counts from
        when it was asked for, and the run `without` not at all."""
        counted = sa.func.coalesce(runs.c.accepted_at, runs.c.created_at)
        query = sa.select(counted.label("counted")).where(
            runs.c.workflow == workflow,
            runs.c.user_id == user_id,
            runs.c.created_at > since - LONGEST_WAIT,
            counted > since,
            runs.c.accepted_at.is_not(None) | (runs.c.state == State.AWAITING_APPROVAL.value),
            runs.c.state != State.NOT_STARTED.value,
            runs.c.id != without,
        )
        return [row.counted for row in self.connection.execute(query.order_by("counted"))]

    def run_with_lock(self, lock_key: str) -> str | None:
        """The run that holds this lock."""
        query = sa.select(runs.c.id).where(runs.c.lock_key == lock_key)
        return (self.connection.execute(query)).scalar()

    def release_run_lock(self, run_id: str) -> bool:
        """Free what a run holds without waiting for its end."""
        statement = sa.update(runs).where(runs.c.id == run_id, runs.c.lock_key.is_not(None)).values(lock_key=None)
        return bool((self.connection.execute(statement)).rowcount)
