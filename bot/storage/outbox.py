"""The outbox: what Slack has still to be told. A message is claimed with a lease, posted, and marked told."""

from __future__ import annotations

import functools
from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.runs import Run
from bot.storage.among import Among
from bot.storage.runs import insert_into
from bot.storage.tables import audit_head, audit_posts, messages
from bot.use_cases.ports import APPROVED, ASK, END, LIVE, REMIND, Message


@functools.cache
def _announce(dialect: str) -> Any:
    """A new message; or one more revision of one that is there, due no later than it was."""
    insert = insert_into(dialect, messages)
    sooner = sa.case((messages.c.due < insert.excluded.due, messages.c.due), else_=insert.excluded.due)
    changes = {"revision": messages.c.revision + 1, "attempts": 0, "due": sooner}
    return insert.on_conflict_do_update(index_elements=[messages.c.run_id, messages.c.kind], set_=changes)


# Statements of the way to a posted message are built once: building one costs more than the database takes for it.
_NOW = sa.bindparam("now", type_=messages.c.due.type)
_POSTABLE = (messages.c.due <= _NOW) & (messages.c.held_until.is_(None) | (messages.c.held_until <= _NOW))
_BEHIND = (
    audit_posts.c.held_until.is_(None) | (audit_posts.c.held_until <= _NOW),
    sa.select(audit_head.c.seq).scalar_subquery() > audit_posts.c.told,
)
_ANY_MESSAGE = sa.exists().where(_POSTABLE)
_ANYTHING = {False: sa.select(_ANY_MESSAGE), True: sa.select(_ANY_MESSAGE | sa.exists().where(*_BEHIND))}
_DUE = (
    sa.select(messages.c.run_id, messages.c.kind)
    .where(_POSTABLE)
    .order_by(messages.c.due)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("due_messages")
)
_CLAIM = (
    sa.update(messages)
    .where(sa.tuple_(messages.c.run_id, messages.c.kind).in_(sa.select(_DUE.c.run_id, _DUE.c.kind)))
    .values(token=messages.c.token + 1, held_until=sa.bindparam("lease", type_=messages.c.held_until.type))
    .returning(messages)
)
_OF_RUNS = sa.select(messages).where(Among(messages.c.run_id, "of_runs")).order_by(messages.c.kind.desc())
_HELD = sa.update(messages).where(
    messages.c.run_id == sa.bindparam("of_run"),
    messages.c.kind == sa.bindparam("of_kind"),
    messages.c.token == sa.bindparam("held"),
)
_CHANGED = (messages.c.revision > sa.bindparam("told")) | (sa.bindparam("whole", type_=sa.Boolean) == sa.false())
_TOLD = _HELD.values(
    held_until=None,
    posted_in=sa.bindparam("place"),
    ts=sa.bindparam("stands"),
    due=sa.case((_CHANGED, sa.func.coalesce(messages.c.due, _NOW)), else_=None),
    attempts=0,
    error=None,
)
_CLAIM_POSTS = (
    sa.update(audit_posts)
    .where(*_BEHIND)
    .values(token=audit_posts.c.token + 1, held_until=sa.bindparam("lease", type_=audit_posts.c.held_until.type))
    .returning(audit_posts.c.told, audit_posts.c.token)
)
_UPDATE_ASKS = (
    sa.update(messages)
    .where(messages.c.run_id == sa.bindparam("of_run"), messages.c.kind.startswith(ASK))
    .values(revision=messages.c.revision + 1, attempts=0, due=_NOW)
)


class OutboxRows:
    """Asking for messages, claiming them, and recording what became of them."""

    connection: sa.Connection
    now: datetime

    def announce_run(self, run: Run, due: datetime) -> None:
        """Have the run's live message posted or brought up to date, at `due` or before."""
        self._ask(run, LIVE, due)

    def announce_end(self, run: Run) -> None:
        """Have the requester told, in the message's thread, that the run is over or has been lost."""
        self._ask(run, END, self.now)

        self.update_asks(run)

    def announce_approved(self, run: Run) -> None:
        """Have the requester told, in the message's thread, that the run has been approved and starts."""
        self._ask(run, APPROVED, self.now)

    def announce_ask(self, run: Run, place: str) -> None:
        """Have a person, the members of a user group, or a channel asked to approve. Asked before, they are told the news."""
        self._ask(run, ASK + place, self.now, place)

    def announce_reminder(self, run: Run, place: str) -> None:
        """Have a place that was asked reminded, with a new message."""
        self._ask(run, REMIND + place, self.now, place)

    def update_asks(self, run: Run) -> None:
        """Have everybody who was asked to approve the run shown how it stands now."""
        if run.bound_to:
            self.connection.execute(_UPDATE_ASKS, {"of_run": run.id, "now": self.now})

    def _ask(self, run: Run, kind: str, due: datetime, place: str = "") -> None:
        row = {"run_id": run.id, "kind": kind, "channel_id": place or run.channel_id, "due": due}
        first = {"revision": 1, "token": 0, "attempts": 0}
        self.connection.execute(_announce(self.connection.dialect.name), {**row, **first})

    def messages(self, run_id: str) -> list[Message]:
        """The run's messages: `live`, once it is over `end`, and those to its approvers."""
        return self.messages_of([run_id])

    def messages_of(self, run_ids: Collection[str]) -> list[Message]:
        """The messages of these runs."""
        return [_message(row) for row in self.connection.execute(_OF_RUNS, {"of_runs": run_ids})]

    def messages_due(self, *, audit_channel: bool) -> bool:
        """Whether a run's message is due or, where there is an audit channel, a record it hasn't been told of."""
        return bool(self.connection.execute(_ANYTHING[audit_channel], {"now": self.now}).scalar())

    def claim_messages(self, lease_until: datetime, limit: int) -> list[Message]:
        """Take what is due and nobody is posting. `due` stays: it says what is to be told, the lease who tells it."""
        values = {"now": self.now, "lease": lease_until, "most": limit}
        return [_message(row) for row in self.connection.execute(_CLAIM, values)]

    def message_told(self, message: Message, posted_in: str, ts: str, *, whole: bool) -> bool:
        """Posted or updated; due again at once where more has changed since it was claimed, or not all was told.

        False where the lease was lost: then another has told it, and perhaps before us.
        """
        told = {"told": message.revision, "whole": whole, "place": posted_in, "stands": ts, "now": self.now}
        return bool(self.connection.execute(_TOLD, {**_held(message), **told}).rowcount)

    def message_stale(self, message: Message) -> None:
        """What we told after losing the lease may have overwritten something newer: have it told once more."""
        self.connection.execute(
            sa.update(messages)
            .where(messages.c.run_id == message.run_id, messages.c.kind == message.kind)
            .values(revision=messages.c.revision + 1, due=self.now)
        )

    def message_postponed(self, message: Message, error: str, due: datetime | None, *, hold: bool = False) -> None:
        """Not told yet; None for `due` gives up, and the error stays to be seen. `hold`: not before, whatever else changes."""
        held_until = due if hold else None
        self._settle(message, error=error, due=due, attempts=messages.c.attempts + 1, held_until=held_until)

    def message_put_off(self, message: Message, due: datetime) -> None:
        """Not its turn yet: that is no failed attempt."""
        self._settle(message, due=due)

    def _settle(self, message: Message, **values: Any) -> None:
        self.connection.execute(_HELD.values({"held_until": None, **values}), _held(message))

    def claim_audit_posts(self, held_until: datetime) -> tuple[int, int] | None:
        """The last sequence number told and this claim's token; None where another replica is telling."""
        values = {"now": self.now, "lease": held_until}
        row = self.connection.execute(_CLAIM_POSTS, values).one_or_none()
        return None if row is None else (row.told, row.token)

    def audit_posts_until(self) -> int:
        """The last record that the audit channel was told of."""
        told: int = self.connection.execute(sa.select(audit_posts.c.told)).scalar_one()
        return told

    def audit_posts_told(self, token: int, told: int, held_until: datetime | None, error: str | None) -> bool:
        """How far the audit channel has been told. False where the lease was lost to another replica."""
        result = self.connection.execute(
            sa.update(audit_posts)
            .where(audit_posts.c.token == token)
            .values(told=told, held_until=held_until, error=error)
        )
        return bool(result.rowcount)


def _message(row: Any) -> Message:
    return Message(**row._mapping)


def _held(message: Message) -> dict[str, Any]:
    return {"of_run": message.run_id, "of_kind": message.kind, "held": message.token}
