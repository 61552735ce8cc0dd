"""Approvals as rows: asked for, answered, looked at when due. Each change is a compare-and-set on the row's state."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain.approvals import Approval, ApprovalState, Quorum, Requirement, Review, Standing
from bot.storage.runs import insert_into
from bot.storage.tables import approvals, reviews

_OF_RUN = sa.select(approvals).where(approvals.c.run_id == sa.bindparam("run_id"))


class ApprovalRows:
    """Reading, opening, answering and moving approvals."""

    connection: sa.Connection
    now: datetime
    waited: list[tuple[str, float]]

    def standing(self, run_id: str) -> Standing | None:
        """The run's approval with its answers, or None where it needs none."""
        row = self.connection.execute(_OF_RUN, {"run_id": run_id}).one_or_none()
        return None if row is None else self._standing(row)

    def hold_approval(self, run_id: str) -> Standing | None:
        """The same, and nobody else changes it before this transaction ends (SQLite has one writer anyway)."""
        row = self.connection.execute(_OF_RUN.with_for_update(), {"run_id": run_id}).one_or_none()
        return None if row is None else self._standing(row)

    def open_standings(self, limit: int) -> list[Standing]:
        """The approvals that something has still to happen to, oldest first."""
        query = (
            sa.select(approvals).where(approvals.c.due.is_not(None)).order_by(approvals.c.asked_at, approvals.c.run_id)
        )
        return [self._standing(row) for row in self.connection.execute(query.limit(limit)).all()]

    def approvals_due(self) -> bool:
        return bool(self.connection.execute(sa.select(sa.exists().where(approvals.c.due <= self.now))).scalar())

    def hold_due_approvals(self, limit: int) -> list[Standing]:
        """What is to be looked at now; another replica skips it until this transaction ends."""
        query = (
            sa.select(approvals)
            .where(approvals.c.due <= self.now)
            .order_by(approvals.c.due)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [self._standing(row) for row in self.connection.execute(query).all()]

    def open_approval(self, approval: Approval, due: datetime) -> None:
        row = {field.name: getattr(approval, field.name) for field in fields(approval)}
        requirement = requirement_json(approval.requirement)
        row |= {"state": approval.state.value, "requirement": requirement, "due": due}
        self.connection.execute(sa.insert(approvals).values(**row))

    def add_review(self, review: Review) -> bool:
        """False where the person has answered already."""
        row = {field.name: getattr(review, field.name) for field in fields(review)}
        statement = insert_into(self.connection.dialect.name, reviews).on_conflict_do_nothing()
        added = self.connection.execute(statement.returning(reviews.c.run_id), {**row, "fits": list(review.fits)})
        return added.one_or_none() is not None

    def move_approval(
        self, before: Approval, after: ApprovalState, *, due: datetime | None, **changes: Any
    ) -> Approval | None:
        """Move it, unless it is in another state by now. `due` is when to look at it next; None: never again."""
        statement = (
            sa.update(approvals)
            .where(approvals.c.run_id == before.run_id, approvals.c.state == before.state.value)
            .values(state=after.value, due=due, **changes)
            .returning(approvals)
        )
        row = self.connection.execute(statement).one_or_none()
        if row is None:
            return None
        if (decided_at := changes.get("decided_at")) is not None:
            self.waited.append((after.value, (decided_at - before.asked_at).total_seconds()))
        return _approval(row)

    def _standing(self, row: Any) -> Standing:
        query = sa.select(reviews).where(reviews.c.run_id == row.run_id).order_by(reviews.c.at, reviews.c.user_id)
        given = [Review(**{**one._mapping, "fits": tuple(one.fits)}) for one in self.connection.execute(query)]
        return Standing(_approval(row), given)


def _approval(row: Any) -> Approval:
    values = {field.name: row._mapping[field.name] for field in fields(Approval)}
    return Approval(**{**values, "state": ApprovalState(row.state), "requirement": requirement_of(row.requirement)})


def requirement_json(requirement: Requirement) -> dict[str, Any]:
    """A requirement as rows keep it; times in seconds."""
    return {
        "quorums": [_quorum_json(quorum) for quorum in requirement.quorums],
        "expires": requirement.expires.total_seconds(),
        "remind": requirement.remind.total_seconds(),
        "channel": requirement.channel,
        "escalate_after": _seconds(requirement.escalate_after),
        "escalate_to": _quorum_json(requirement.escalate_to) if requirement.escalate_to else None,
        "own": requirement.own,
        "step_up": requirement.step_up,
        "break_glass": _seconds(requirement.break_glass),
    }


def requirement_of(data: dict[str, Any]) -> Requirement:
    """A requirement from what a row keeps. What another version left out is as if nobody had asked for it; but a code."""
    return Requirement(
        quorums=tuple(_quorum(quorum) for quorum in data["quorums"]),
        expires=timedelta(seconds=data["expires"]),
        remind=timedelta(seconds=data["remind"]),
        channel=data.get("channel", ""),
        escalate_after=_span(data.get("escalate_after")),
        escalate_to=_quorum(data["escalate_to"]) if data.get("escalate_to") else None,
        own=data.get("own", False),
        step_up=data.get("step_up", True),
        break_glass=_span(data.get("break_glass")),
    )


def _quorum_json(quorum: Quorum) -> dict[str, Any]:
    return {"name": quorum.name, "subjects": list(quorum.subjects), "count": quorum.count}


def _quorum(data: dict[str, Any]) -> Quorum:
    return Quorum(data["name"], tuple(data["subjects"]), data["count"])


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
