"""The bots that serve, as rows: one each, written over again and again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.domain.replicas import Replica
from bot.storage.tables import replicas

KEPT = timedelta(days=1)  # what a killed process leaves behind is of use for so long

_UPDATE = sa.update(replicas).where(replicas.c.id == sa.bindparam("replica"))


class ReplicaRows:
    """Reading and writing them."""

    connection: sa.Connection
    now: datetime

    def replicas(self) -> list[Replica]:
        """Those that serve, and those that stopped without a word lately; oldest first."""
        query = sa.select(replicas).where(replicas.c.seen_at > self.now - KEPT).order_by(replicas.c.started_at)
        return [Replica(**row._mapping) for row in self.connection.execute(query)]

    def report_replica(self, replica: Replica) -> str:
        """Write what a process says of itself, and take away what others left behind long ago. Returns its id."""
        values = asdict(replica)
        if not self.connection.execute(_UPDATE, {"replica": replica.id, **values}).rowcount:
            self.connection.execute(sa.delete(replicas).where(replicas.c.seen_at <= self.now - KEPT))
            self.connection.execute(sa.insert(replicas), values)
        return replica.id

    def forget_replica(self, replica_id: str) -> None:
        """It has stopped."""
        self.connection.execute(sa.delete(replicas).where(replicas.c.id == replica_id))
