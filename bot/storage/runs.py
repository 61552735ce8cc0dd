"""Runs as rows. Each move is a compare-and-set on state and token; the row count decides who won."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.runs import Run, State, may_follow
from bot.storage.tables import runs


def insert_into(connection: AsyncConnection, table: sa.Table) -> Any:
    """INSERT in the dialect at hand, which knows ON CONFLICT."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


class RunRows:
    """Reading, inserting, claiming and moving runs."""

    connection: AsyncConnection
    now: datetime

    async def run(self, run_id: str) -> Run | None:
        return await self._one(runs.c.id == run_id)

    async def run_by_key(self, request_key: str) -> Run | None:
        return await self._one(runs.c.request_key == request_key)

    async def runs(self, limit: int, *, user_id: str | None = None, state: State | None = None) -> list[Run]:
        query = sa.select(runs).order_by(runs.c.created_at.desc(), runs.c.id).limit(limit)
        if user_id is not None:
            query = query.where(runs.c.user_id == user_id)
        if state is not None:
            query = query.where(runs.c.state == state.value)
        return [_run(row) for row in await self.connection.execute(query)]

    async def runs_due(self) -> bool:
        query = sa.select(sa.exists().where(runs.c.due <= self.now))
        return bool((await self.connection.execute(query)).scalar())

    async def insert_run(self, run: Run) -> bool:
        """False where a run with the same request key is there already."""
        statement = insert_into(self.connection, runs).values(**_row(run)).on_conflict_do_nothing()
        # By the row that comes back: on Postgres the driver's row count of an INSERT says nothing here.
        return (await self.connection.execute(statement.returning(runs.c.id))).one_or_none() is not None

    async def move_run(
        self, run_id: str, token: int, before: Collection[State], after: State, **changes: Any
    ) -> Run | None:
        """Move a run that is in one of the states `before`, or None. The token fences out a worker that lost its lease;
        an *unknown* run has no worker, so the late answer of its last one may still end it."""
        legal = [state.value for state in before if may_follow(state, after)]
        statement = (
            sa.update(runs)
            .where(
                runs.c.id == run_id,
                runs.c.state.in_(legal),
                (runs.c.token == token) | (runs.c.state == State.UNKNOWN.value),
            )
            .values(state=after.value, **changes)
            .returning(runs)
        )
        row = (await self.connection.execute(statement)).one_or_none()
        return None if row is None else _run(row)

    async def claim_runs(self, lease_until: datetime, limit: int) -> list[Run]:
        """Take what is due: the token grows, so whoever held it before can't write any more."""
        due = (
            sa.select(runs.c.id)
            .where(runs.c.due <= self.now)
            .order_by(runs.c.due)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due_runs")
        )
        statement = (
            sa.update(runs)
            .where(runs.c.id.in_(sa.select(due.c.id)))
            .values(token=runs.c.token + 1, due=lease_until)
            .returning(runs)
        )
        return [_run(row) for row in await self.connection.execute(statement)]

    async def _one(self, condition: sa.ColumnElement[bool]) -> Run | None:
        row = (await self.connection.execute(sa.select(runs).where(condition))).one_or_none()
        return None if row is None else _run(row)


def _row(run: Run) -> dict[str, Any]:
    return {**asdict(run), "state": run.state.value}


def _run(row: Any) -> Run:
    return Run(**{**row._mapping, "state": State(row.state)})
