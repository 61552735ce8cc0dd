"""Witnesses that are sent signed heads: which is due, and what became of it. A lease keeps it to one replica at a time."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from bot.domain.findings import Point
from bot.storage.audit import iso
from bot.storage.tables import audit_head, audit_witnesses
from bot.use_cases.ports import HeadClaim, WitnessState


class WitnessRows:
    """Asking which witness is behind, taking the telling, and noting it."""

    connection: sa.Connection
    now: datetime

    def heads_due(self, names: Collection[str], *, early: bool) -> bool:
        """Whether one of these witnesses hasn't been told of the head and its time has come; `early`: whatever its time."""
        return bool(self.connection.execute(sa.select(sa.exists().where(self._due(names, early)))).scalar())

    def claim_heads(self, names: Collection[str], lease_until: datetime, *, early: bool) -> HeadClaim:
        """Take the telling of those that are due. Each is held by its token."""
        head = self.connection.execute(sa.select(audit_head.c.seq, audit_head.c.hash)).one()
        statement = (
            sa.update(audit_witnesses)
            .where(self._due(names, early))
            .values(token=audit_witnesses.c.token + 1, due=lease_until)
            .returning(audit_witnesses.c.name, audit_witnesses.c.token)
        )
        held = {row.name: row.token for row in self.connection.execute(statement)}
        return HeadClaim(Point(head.seq, head.hash), iso(self.now), held)

    def head_told(self, name: str, token: int, seq: int | None, due: datetime, error: str | None) -> None:
        """Told of the record `seq` (None: it could not be), and due again then."""
        told = {} if seq is None else {"told": seq}
        self.connection.execute(
            sa.update(audit_witnesses)
            .where(audit_witnesses.c.name == name, audit_witnesses.c.token == token)
            .values(due=due, error=error, **told)
        )

    def witness_states(self) -> list[WitnessState]:
        """How far each witness has been told, and the last error."""
        query = sa.select(audit_witnesses).order_by(audit_witnesses.c.name)
        return [WitnessState(row.name, row.told, row.error) for row in self.connection.execute(query)]

    def _due(self, names: Collection[str], early: bool) -> sa.ColumnElement[bool]:
        head = sa.select(audit_head.c.seq).scalar_subquery()
        # Not only "behind": a head that went back is told as well, and shows later.
        behind = audit_witnesses.c.name.in_(sorted(names)) & (audit_witnesses.c.told != head)
        now = audit_witnesses.c.due.is_(None) | (audit_witnesses.c.due <= self.now)
        return behind if early else behind & now
