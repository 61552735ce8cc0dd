"""The outbox: what Slack has still to be told. A message is claimed with a lease, posted, and marked told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.runs import Run
from bot.storage.runs import insert_into
from bot.storage.tables import audit_head, audit_posts, messages
from bot.use_cases.ports import Message


class OutboxRows:
    """Asking for messages, claiming them, and recording what became of them."""

    connection: AsyncConnection
    now: datetime

    async def announce_run(self, run: Run, due: datetime) -> None:
        """Have the run's live message posted or brought up to date, at `due` or before."""
        row = {"channel_id": run.channel_id, "revision": 1, "token": 0, "attempts": 0, "due": due}
        again = {"revision": messages.c.revision + 1, "attempts": 0, "due": due}
        await self.connection.execute(
            insert_into(self.connection, messages)
            .values(run_id=run.id, **row)
            .on_conflict_do_update(index_elements=[messages.c.run_id], set_=again)
        )

    async def message(self, run_id: str) -> Message | None:
        row = (await self.connection.execute(sa.select(messages).where(messages.c.run_id == run_id))).one_or_none()
        return None if row is None else _message(row)

    async def messages_due(self, *, audit_channel: bool) -> bool:
        """Whether a run's message is due or, where there is an audit channel, a record it hasn't been told of."""
        behind = sa.select(audit_head.c.seq).scalar_subquery() > audit_posts.c.told
        free = audit_posts.c.held_until.is_(None) | (audit_posts.c.held_until <= self.now)
        anything: sa.ColumnElement[bool] = sa.exists().where(messages.c.due <= self.now)
        if audit_channel:
            anything = anything | sa.exists().where(free, behind)
        return bool((await self.connection.execute(sa.select(anything))).scalar())

    async def claim_messages(self, lease_until: datetime, limit: int) -> list[Message]:
        due = (
            sa.select(messages.c.run_id)
            .where(messages.c.due <= self.now)
            .order_by(messages.c.due)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due_messages")
        )
        statement = (
            sa.update(messages)
            .where(messages.c.run_id.in_(sa.select(due.c.run_id)))
            .values(token=messages.c.token + 1, due=lease_until)
            .returning(messages)
        )
        return [_message(row) for row in await self.connection.execute(statement)]

    async def message_told(self, message: Message, posted_in: str, ts: str) -> None:
        """Posted or updated. Due again at once where something more has changed since it was claimed."""
        again = sa.case((messages.c.revision > message.revision, self.now), else_=None)
        await self._settle(message, posted_in=posted_in, ts=ts, due=again, attempts=0, error=None)

    async def message_postponed(self, message: Message, error: str, due: datetime | None) -> None:
        """Not told yet; None for `due` gives up, and the error stays to be seen."""
        await self._settle(message, error=error, due=due, attempts=messages.c.attempts + 1)

    async def _settle(self, message: Message, **values: Any) -> None:
        await self.connection.execute(
            sa.update(messages)
            .where(messages.c.run_id == message.run_id, messages.c.token == message.token)
            .values(**values)
        )

    async def claim_audit_posts(self, held_until: datetime) -> tuple[int, int] | None:
        """The last sequence number told and this claim's token; None where another replica is telling."""
        free = audit_posts.c.held_until.is_(None) | (audit_posts.c.held_until <= self.now)
        behind = sa.select(audit_head.c.seq).scalar_subquery() > audit_posts.c.told
        statement = (
            sa.update(audit_posts)
            .where(free, behind)
            .values(token=audit_posts.c.token + 1, held_until=held_until)
            .returning(audit_posts.c.told, audit_posts.c.token)
        )
        row = (await self.connection.execute(statement)).one_or_none()
        return None if row is None else (row.told, row.token)

    async def audit_posts_told(self, token: int, told: int, held_until: datetime | None, error: str | None) -> None:
        await self.connection.execute(
            sa.update(audit_posts)
            .where(audit_posts.c.token == token)
            .values(told=told, held_until=held_until, error=error)
        )


def _message(row: Any) -> Message:
    return Message(**row._mapping)
