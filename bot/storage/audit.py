"""The audit trail as rows: read in order, and appended at the end of the transaction whose changes it describes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from bot.domain.audit import Draft, Entry, Record
from bot.domain.audit_keys import UNKNOWN, Keys, key_of, mark, marks_with
from bot.domain.chain import Stored, hasher
from bot.domain.errors import NotRecorded
from bot.domain.findings import Point
from bot.domain.trail_filter import TrailFilter
from bot.storage.guards import BEYOND, faults, may_tamper
from bot.storage.tables import audit_head, audit_records, audit_seals
from bot.use_cases.ports import Seal, TrailEnd


def iso(moment: datetime) -> str:
    """A moment as the trail writes it: UTC, microseconds, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class _Statements:
    """What appending takes, in the words of a driver: built anew by SQLAlchemy it would take longer than the database does."""

    head: str
    insert: str
    move: str
    mark: str
    last: str


_INSERT = "INSERT INTO audit_records (seq, at, act, user_id, workflow, run_id, body, hash) VALUES "
_STATEMENTS = {
    "sqlite": _Statements(
        "SELECT seq, hash, at, key_marks, NULL FROM audit_head",
        f"{_INSERT} (?, ?, ?, ?, ?, ?, ?, ?)",
        "UPDATE audit_head SET seq = ?, hash = ?, at = ?",
        "UPDATE audit_head SET key_marks = ?",
        "SELECT body, hash FROM audit_records WHERE seq = ?",
    ),
    "postgresql": _Statements(
        "SELECT seq, hash, at, key_marks, clock_timestamp() FROM audit_head FOR UPDATE",
        f"{_INSERT} (%s, %s, %s, %s, %s, %s, %s, %s)",
        "UPDATE audit_head SET seq = %s, hash = %s, at = %s",
        "UPDATE audit_head SET key_marks = %s",
        "SELECT body, hash FROM audit_records WHERE seq = %s",
    ),
}


@functools.cache
def _stored(dialect: str) -> sa.TextClause:
    """Records as they are stored, `at` as the canonical bytes write it. As text: nothing stands between bytes and eyes."""
    if dialect == "postgresql":
        at = "pg_catalog.to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24\\:MI\\:SS.US\"Z\"')"
    else:
        at = "replace(at, ' ', 'T') || 'Z'"
    return sa.text(
        f"SELECT seq, {at}, act, user_id, workflow, run_id, body, hash FROM audit_records "  # noqa: S608  # names only
        "WHERE seq > :after AND seq <= :until ORDER BY seq LIMIT :limit"
    )


def append(connection: sa.Connection, entries: Sequence[Entry], keys: Keys) -> None:
    """Chain the entries to the trail. Called last in a transaction: it takes the one row that all writers share.

    Raises NotRecorded where that row is gone, or the trail goes on with another key than the newest of `keys`.
    """
    if not entries:
        return
    drafts = [Draft(entry) for entry in entries]
    statements = _STATEMENTS[connection.dialect.name]
    head = connection.exec_driver_sql(statements.head).one_or_none()
    if head is None:
        raise NotRecorded("The end of the audit chain is missing. Look at it with: workflow-bot audit verify")
    seq, prev, last_at, known_marks, now = head
    marks = marks_with(known_marks or _mark_of_last(connection, seq, keys), keys)
    at = _later(last_at, now or datetime.now(UTC))
    moment = at if connection.dialect.name == "postgresql" else f"{at:%Y-%m-%d %H:%M:%S.%f}"
    written = iso(at)
    rows = []
    hash_of = hasher(keys[0])
    for entry, draft in zip(entries, drafts, strict=True):
        seq += 1
        body = draft.body(seq, written, prev)
        prev = hash_of(body)
        who = (entry.act.value, entry.user_id, entry.workflow, entry.run_id)
        rows.append((seq, moment, *who, body, prev))
    connection.exec_driver_sql(statements.insert, rows)
    connection.exec_driver_sql(statements.move, (seq, prev, moment))
    if marks != known_marks:
        connection.exec_driver_sql(statements.mark, (marks,))


def _mark_of_last(connection: sa.Connection, seq: int, keys: Keys) -> str:
    """The mark of the key that the last record was made with, where the head has none as it was moved by older versions."""
    last = connection.exec_driver_sql(_STATEMENTS[connection.dialect.name].last, (seq,)).one_or_none()
    if last is None:
        return ""
    key = key_of(bytes(last[0]), last[1], keys)
    if key is None:
        raise NotRecorded(UNKNOWN)
    return mark(key)


def _later(last: datetime | str | None, now: datetime) -> datetime:
    """Now, unless the clock was set back: the trail's time never runs backwards."""
    if isinstance(last, str):  # SQLite's driver gives the text that is stored
        last = datetime.fromisoformat(last).replace(tzinfo=UTC)
    return now if last is None else max(now, last)


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

    def search_records(self, wanted: TrailFilter, before: int | None, limit: int) -> list[Record]:
        """Records whose columns fit, before the record `before`, newest first."""
        columns = audit_records.c
        pairs = ((columns.user_id, wanted.user), (columns.workflow, wanted.workflow), (columns.run_id, wanted.run))
        query = sa.select(audit_records).where(*(column == value for column, value in pairs if value is not None))
        if wanted.acts is not None:
            query = query.where(columns.act.in_(wanted.acts))
        if wanted.since is not None:
            query = query.where(columns.at >= wanted.since)
        if wanted.until is not None:
            query = query.where(columns.at < wanted.until)
        if before is not None:
            query = query.where(columns.seq < before)
        rows = self.connection.execute(query.order_by(columns.seq.desc()).limit(limit))
        return [Record(row.seq, bytes(row.body), row.hash) for row in rows]

    def stored_records(self, after: int, until: int, limit: int) -> Sequence[Stored]:
        """Rows as they are stored, for verifying: columns and bytes may have been tampered with."""
        found = self.connection.execute(
            _stored(self.connection.dialect.name), {"after": after, "until": until, "limit": limit}
        )
        if self.connection.dialect.name == "postgresql":  # whose cursor may be one at the server, read ahead already
            return found.all()
        rows: Sequence[Stored] = found.cursor.fetchall()  # the driver's own tuples: nothing is made of them
        return rows

    def trail_end(self) -> TrailEnd:
        """The head, and the first and the last record: of one moment, as one statement."""
        numbers = audit_records.c.seq < BEYOND
        seqs = sa.select(sa.func.min(audit_records.c.seq), sa.func.max(audit_records.c.seq)).where(numbers).subquery()
        query = sa.select(audit_head.c.seq, audit_head.c.hash, *seqs.c).select_from(
            seqs.outerjoin(audit_head, sa.true())
        )
        rows = self.connection.execute(query.order_by(audit_head.c.id)).all()
        head = None if rows[0][0] is None else Point(rows[0][0], rows[0][1])
        return TrailEnd(head, len(rows), rows[0][2] or 0, rows[0][3] or 0)

    def unfit(self, keys: Keys) -> str:
        """Why nothing can be recorded with these keys; empty where it can be, as far as keys matter."""
        head = self.connection.execute(sa.select(audit_head.c.seq, audit_head.c.key_marks)).first()
        if head is None:
            return ""
        try:
            marks_with(head.key_marks or _mark_of_last(self.connection, head.seq, keys), keys)
        except NotRecorded as error:
            return str(error)
        return ""

    def seals(self) -> list[Seal]:
        """What was sealed away, oldest first."""
        query = sa.select(audit_seals).order_by(audit_seals.c.last_seq)
        return [Seal(row.first_seq, row.last_seq, row.hash, row.digest) for row in self.connection.execute(query)]

    def last_before(self, limit: int | datetime) -> int:
        """The last record before a number or a moment; 0: none."""
        column = audit_records.c.at if isinstance(limit, datetime) else audit_records.c.seq
        query = sa.select(sa.func.max(audit_records.c.seq)).where(column < limit)
        return self.connection.execute(query).scalar() or 0

    def take_out(self, seal: Seal) -> bool:
        """Put the seal down, which opens the door, and delete the range. False where the range isn't what the seal says."""
        row = {"last_seq": seal.last, "first_seq": seal.first, "hash": seal.hash, "digest": seal.digest}
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        else:
            self.connection.execute(sa.text("PRAGMA secure_delete = ON"))  # what is deleted is overwritten in the file
        self.connection.execute(sa.insert(audit_seals).values(row))
        last = sa.select(audit_records.c.hash).where(audit_records.c.seq == seal.last)
        known = self.connection.execute(last).scalar_one_or_none()
        within = audit_records.c.seq.between(seal.first, seal.last)
        gone = self.connection.execute(sa.delete(audit_records).where(within)).rowcount
        return known == seal.hash and gone == seal.last - seal.first + 1

    def may_not_seal(self) -> bool:
        """Whether the bot runs as a role that can't take records out."""
        return self.connection.dialect.name == "postgresql" and not may_tamper(self.connection)

    def may_tamper(self) -> bool:
        """Whether the bot runs with rights that let it change the trail, were it taken over."""
        return may_tamper(self.connection)

    def guard_faults(self) -> list[str]:
        """A sentence for each trigger around the trail that isn't as it has to be."""
        return faults(self.connection)
