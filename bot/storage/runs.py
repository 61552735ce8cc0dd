"""Runs as rows. Each move is a compare-and-set on state and token; the row count decides who won."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain.runs import ENDED, Run, RunStep, State, may_follow
from bot.storage.among import Among
from bot.storage.tables import runs


def insert_into(dialect: str, table: sa.Table) -> Any:
    """INSERT in the dialect at hand, which knows ON CONFLICT."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


# Statements of the way from a press to a launch are built once: building one costs more than the database takes for it.
_BY_ID = sa.select(runs).where(runs.c.id == sa.bindparam("id"))
_BY_IDS = sa.select(runs).where(Among(runs.c.id, "ids"))
_NOW = sa.bindparam("now", type_=runs.c.due.type)
_ANY_DUE = sa.select(sa.exists().where(runs.c.due <= _NOW))
_DUE = (
    sa.select(runs.c.id)
    .where(runs.c.state.in_(sa.bindparam("states", expanding=True)), runs.c.due <= _NOW)
    .order_by(runs.c.due)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("due_runs")
)
_CLAIM = (
    sa.update(runs)
    .where(runs.c.id.in_(sa.select(_DUE.c.id)))
    .values(token=runs.c.token + 1, due=sa.bindparam("lease", type_=runs.c.due.type))
    .returning(runs)
)
_BY_KEY = sa.select(runs).where(runs.c.request_key == sa.bindparam("request_key"))


@functools.cache
def _insert(dialect: str) -> Any:
    return insert_into(dialect, runs).on_conflict_do_nothing().returning(runs.c.id)


@functools.cache
def _move(columns: tuple[str, ...]) -> sa.UpdateBase:
    return (
        sa.update(runs)
        .where(
            runs.c.id == sa.bindparam("run_id"),
            runs.c.state.in_(sa.bindparam("legal", expanding=True)),
            (runs.c.token == sa.bindparam("held")) | (runs.c.state == State.UNKNOWN.value),
        )
        .values({column: sa.bindparam(f"new_{column}") for column in columns})
        .returning(runs)
    )


class RunRows:
    """Reading, inserting, claiming and moving runs."""

    connection: sa.Connection
    now: datetime

    def run(self, run_id: str) -> Run | None:
        return self._one(_BY_ID, {"id": run_id})

    def runs_named(self, run_ids: Collection[str]) -> list[Run]:
        """The runs with these ids, in no order."""
        return [_run(row) for row in self.connection.execute(_BY_IDS, {"ids": run_ids})]

    def run_by_key(self, request_key: str) -> Run | None:
        return self._one(_BY_KEY, {"request_key": request_key})

    def runs(self, limit: int, *, user_id: str | None = None, state: State | None = None) -> list[Run]:
        query = sa.select(runs).order_by(runs.c.created_at.desc(), runs.c.id).limit(limit)
        if user_id is not None:
            query = query.where(runs.c.user_id == user_id)
        if state is not None:
            query = query.where(runs.c.state == state.value)
        return [_run(row) for row in self.connection.execute(query)]

    def sealed_inputs(self) -> dict[str, str]:
        """What is kept sealed, by run."""
        query = sa.select(runs.c.id, runs.c.sealed).where(runs.c.sealed.is_not(None))
        return {row.id: row.sealed for row in self.connection.execute(query)}

    def instances_taken(self, instance_ids: Collection[str]) -> set[str]:
        """Those of the instances that belong to a run already."""
        query = sa.select(runs.c.instance_id).where(runs.c.instance_id.in_(sorted(instance_ids)))
        return {row.instance_id for row in self.connection.execute(query)}

    def lost_rivals(self, run: Run, within: timedelta) -> int:
        """How many other runs of the same workflow were launched about then and have no instance."""
        if run.launched_at is None:
            return 0
        query = sa.select(sa.func.count()).where(
            runs.c.datadog_id == run.datadog_id,
            runs.c.account == run.account,
            runs.c.id != run.id,
            runs.c.instance_id.is_(None),
            runs.c.state.in_([State.UNKNOWN.value, State.LAUNCHING.value]),
            runs.c.launched_at.between(run.launched_at - within, run.launched_at + within),
        )
        return (self.connection.execute(query)).scalar_one()

    def runs_due(self) -> bool:
        return bool(self.connection.execute(_ANY_DUE, {"now": self.now}).scalar())

    def insert_run(self, run: Run) -> bool:
        """False where a run with the same request key is there already."""
        # By the row that comes back: on Postgres the driver's row count of an INSERT says nothing here.
        inserted = self.connection.execute(_insert(self.connection.dialect.name), _row(run))
        return inserted.one_or_none() is not None

    def move_run(self, run_id: str, token: int, before: Collection[State], after: State, **changes: Any) -> Run | None:
        """Move a run that is in one of the states `before`, or None. The token fences out a worker that lost its lease;
        an *unknown* run has no worker, so the late answer of its last one may still end it."""
        if "steps" in changes:
            changes["steps"] = _steps_json(changes["steps"])
        legal = [state.value for state in before if may_follow(state, after)]
        new = {"state": after.value, **_freed(after), **changes}
        values = {f"new_{column}": value for column, value in new.items()}
        moved = self.connection.execute(_move(tuple(new)), {"run_id": run_id, "legal": legal, "held": token, **values})
        row = moved.one_or_none()
        return None if row is None else _run(row)

    def ask_cancel(self, run_id: str, user_id: str) -> Run | None:
        """Note who wants the run cancelled. Somebody looks at a running one at once; the lease of a launch stays its own."""
        statement = (
            sa.update(runs)
            .where(
                runs.c.id == run_id,
                runs.c.state.in_([State.READY.value, State.LAUNCHING.value, State.RUNNING.value]),
                runs.c.cancel_by.is_(None),
            )
            # The token grows, so that a look which is under way can't put the next one off again.
            .values(
                cancel_by=user_id,
                cancel_asked_at=self.now,
                due=sa.case((runs.c.state == State.RUNNING.value, self.now), else_=runs.c.due),
                token=sa.case((runs.c.state == State.RUNNING.value, runs.c.token + 1), else_=runs.c.token),
            )
            .returning(runs)
        )
        row = (self.connection.execute(statement)).one_or_none()
        return None if row is None else _run(row)

    def release_runs(self, held: Collection[Run]) -> None:
        """Give back what was claimed and not begun, so that nobody waits for the lease to run out."""
        for run in held:
            self.connection.execute(
                sa.update(runs)
                .where(runs.c.id == run.id, runs.c.token == run.token, runs.c.state == run.state.value)
                .values(due=self.now)
            )

    def claim_runs(self, states: Collection[State], lease_until: datetime, limit: int) -> list[Run]:
        """Take what is due: the token grows, so whoever held it before can't write any more."""
        values = {"states": [state.value for state in states], "now": self.now, "lease": lease_until, "most": limit}
        return [_run(row) for row in self.connection.execute(_CLAIM, values)]

    def _one(self, query: sa.Select[Any], values: dict[str, Any]) -> Run | None:
        row = self.connection.execute(query, values).one_or_none()
        return None if row is None else _run(row)


def _freed(after: State) -> dict[str, Any]:
    """A run that is over holds no lock. An *unknown* one does: it may be running."""
    return {"lock_key": None} if after in ENDED else {}


def _row(run: Run) -> dict[str, Any]:
    row = {field.name: getattr(run, field.name) for field in fields(run)}
    return {**row, "state": run.state.value, "steps": _steps_json(run.steps)}


def _run(row: Any) -> Run:
    return Run(**{**row._mapping, "state": State(row.state), "steps": [_step(step) for step in row.steps]})


def _steps_json(steps: Sequence[RunStep]) -> list[list[str | None]]:
    return [
        [step.name, step.state, step.began.isoformat(), step.ended.isoformat() if step.ended else None]
        for step in steps
    ]


def _step(data: list[Any]) -> RunStep:
    name, state, began, ended = data
    return RunStep(name, state, datetime.fromisoformat(began), datetime.fromisoformat(ended) if ended else None)
