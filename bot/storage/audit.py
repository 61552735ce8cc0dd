"""The audit trail as rows: read in order, and appended at the end of the transaction whose changes it describes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import rfc8785
import sqlalchemy as sa

from bot.domain.audit import Entry, Record, body_of, link
from bot.storage.tables import audit_head, audit_records


def iso(moment: datetime) -> str:
    """A moment as the trail writes it: UTC, microseconds, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_APPEND = sa.insert(audit_records)
_MOVE_HEAD = sa.update(audit_head).values(seq=sa.bindparam("last"), hash=sa.bindparam("prev"))


@functools.cache
def _head(dialect: str) -> sa.Select[Any]:
    clock = sa.func.clock_timestamp() if dialect == "postgresql" else sa.literal(None)
    return sa.select(audit_head.c.seq, audit_head.c.hash, clock).with_for_update()


def append(connection: sa.Connection, entries: Sequence[Entry], key: bytes | None) -> None:
    """Chain the entries to the trail. Called last in a transaction: it takes the one row that all writers share."""
    if not entries:
        return
    head = connection.execute(_head(connection.dialect.name)).one()
    seq, prev, at = head[0], head[1], head[2] or datetime.now(UTC)
    rows = []
    for entry in entries:
        seq += 1
        body = rfc8785.dumps(body_of(entry, seq, iso(at), prev))
        prev = link(body, key)
        rows.append(
            {
                "seq": seq,
                "at": at,
                "act": entry.act.value,
                "user_id": entry.user_id,
                "workflow": entry.workflow,
                "run_id": entry.run_id,
                "body": body,
                "hash": prev,
            }
        )
    connection.execute(_APPEND, rows)
    connection.execute(_MOVE_HEAD, {"last": seq, "prev": prev})


class AuditRows:
    """Reading the trail."""

    connection: sa.Connection

    def records(self, after: int, limit: int) -> list[Record]:
        query = sa.select(audit_records).where(audit_records.c.seq > after).order_by(audit_records.c.seq).limit(limit)
        return [Record(row.seq, bytes(row.body), row.hash) for row in self.connection.execute(query)]

    def records_of(self, run_id: str) -> list[Record]:
        """Every record about one run, oldest first."""
        query = sa.select(audit_records).where(audit_records.c.run_id == run_id).order_by(audit_records.c.seq)
        return [Record(row.seq, bytes(row.body), row.hash) for row in self.connection.execute(query)]

    def last_records(self, limit: int) -> list[Record]:
        query = sa.select(audit_records).order_by(audit_records.c.seq.desc()).limit(limit)
        rows = (self.connection.execute(query)).all()
        return [Record(row.seq, bytes(row.body), row.hash) for row in reversed(rows)]
