"""An attacker with full write access to the database: the triggers are gone, and any statement goes through.

Each tampering is done in SQL inside a savepoint, the trail is verified as `audit verify` does it, and it is rolled back.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.audit import Act, Entry
from bot.domain.findings import Attestation, Kind, Point, Witnessed
from bot.storage import migrate
from bot.storage.audit import append
from bot.storage.guards import _POSTGRES, _SQLITE
from bot.storage.store import Transaction
from bot.storage.tables import audit_head, audit_records
from bot.use_cases.verify_trail import Verified, verify
from tests.integration.chain import KEY
from tests.made_up import facts
from tests.tampering import HASH, SEQ, TAMPERINGS, Row, Trail, entry

LENGTH = 14
AT_RANDOM = 1000  # tamperings


class OneConnection:
    """A store on a connection whose transaction the test holds."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    async def read(self, question: Callable[[Any], Any]) -> Any:
        return question(Transaction(self._connection, datetime.now(UTC)))

    async def write(self, work: Callable[[Any], Any], *, starts: bool = False) -> Any:
        raise NotImplementedError


@pytest.fixture
def connection(database_url: str) -> Iterator[sa.Connection]:
    """A trail of some records, and a transaction that is never committed."""
    engine = migrate.plain_engine(database_url)
    with engine.begin() as connection:
        append(connection, [entry(number) for number in range(LENGTH)], (KEY,))
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()
    engine.dispose()


def disarm(connection: sa.Connection) -> None:
    """What the owner of the database may do."""
    sqlite = connection.dialect.name == "sqlite"
    names = _SQLITE if sqlite else {f"{name} ON {table}": None for name, (table, _, _) in _POSTGRES.items()}
    for name in names:
        connection.execute(sa.text(f"DROP TRIGGER {name}"))


def judge(connection: sa.Connection, *attestations: Attestation) -> Verified:
    return asyncio.run(verify(OneConnection(connection), (KEY,), Witnessed(attestations)))


def touched(verified: Verified) -> list[tuple[str, int, int]]:
    """Without what is said of the triggers, which every one of these attackers has taken away."""
    return [(one.kind.value, one.seq, one.until) for one in verified.breaks if one.kind is not Kind.GUARD]


@contextmanager
def rolled_back(connection: sa.Connection) -> Iterator[None]:
    with connection.begin_nested() as savepoint:
        yield
        savepoint.rollback()


def stored(connection: sa.Connection) -> Trail:
    rows = [list(row) for row in connection.execute(sa.select(audit_records).order_by(audit_records.c.seq))]
    for row in rows:
        row[1] = row[1].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    seq, hash_ = connection.execute(sa.select(audit_head.c.seq, audit_head.c.hash)).one()
    return Trail(rows, Point(seq, hash_))


def write(connection: sa.Connection, before: Trail, after: Trail) -> None:
    """Make the rows what they are to be."""
    was, is_ = {tuple(row) for row in before.rows}, {tuple(row) for row in after.rows}
    for row in was - is_:
        connection.execute(sa.delete(audit_records).where(audit_records.c.seq == row[SEQ]))
    added = [dict(zip(audit_records.c.keys(), _typed(list(row)), strict=True)) for row in is_ - was]
    if added:
        connection.execute(sa.insert(audit_records), added)
    if after.head is None:
        connection.execute(sa.delete(audit_head))
    elif after.head != before.head:
        connection.execute(sa.update(audit_head).values(seq=after.head.seq, hash=after.head.hash))


def _typed(row: Row) -> Row:
    row[1] = datetime.fromisoformat(row[1])
    return row


def test_every_tampering_at_random_is_found_and_named(connection: sa.Connection) -> None:
    disarm(connection)
    before = stored(connection)
    assert touched(judge(connection)) == []
    chance = random.Random(6)
    for number in range(AT_RANDOM):
        tampering = TAMPERINGS[number % len(TAMPERINGS)]
        after = copy.deepcopy(before)
        expected = tampering.do(after, chance)
        with rolled_back(connection):
            write(connection, before, after)
            found = touched(judge(connection))
        hits = [
            one for one in found if one[0] in expected.kinds and one[1] <= expected.last and one[2] >= expected.first
        ]
        assert hits, f"{number} {tampering.name}: {expected}, found {found}"
    assert touched(judge(connection)) == []


def test_a_missing_trigger_is_named(connection: sa.Connection) -> None:
    assert judge(connection).whole
    sqlite = connection.dialect.name == "sqlite"
    names = _SQLITE if sqlite else {name: f" ON {table}" for name, (table, _, _) in _POSTGRES.items()}
    for name, where in names.items():
        with rolled_back(connection):
            connection.execute(sa.text(f"DROP TRIGGER {name}{'' if sqlite else where}"))
            (found,) = judge(connection).breaks
            assert (found.kind, found.words) == (Kind.GUARD, f"The trigger {name} is missing.")


WEAKENED = {
    "sqlite": [
        "CREATE TRIGGER audit_records_no_update BEFORE UPDATE ON audit_records BEGIN SELECT 1; END",
        "CREATE TRIGGER audit_records_no_update BEFORE UPDATE ON audit_records WHEN NEW.act = 'x' "
        "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    ],
    "postgresql": [
        "ALTER TABLE audit_records DISABLE TRIGGER audit_records_append_only",
        "ALTER TABLE audit_records ENABLE TRIGGER audit_records_append_only",
        "CREATE OR REPLACE FUNCTION audit_records_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RETURN NEW; END $$",
        "DROP TRIGGER audit_records_append_only ON audit_records; CREATE TRIGGER audit_records_append_only "
        "BEFORE UPDATE ON audit_records FOR EACH STATEMENT EXECUTE FUNCTION audit_records_append_only(); "
        "ALTER TABLE audit_records ENABLE ALWAYS TRIGGER audit_records_append_only",
    ],
}


def test_a_trigger_that_was_weakened_or_switched_off_is_named(connection: sa.Connection) -> None:
    for statement in WEAKENED[connection.dialect.name]:
        with rolled_back(connection):
            if connection.dialect.name == "sqlite":
                connection.execute(sa.text("DROP TRIGGER audit_records_no_update"))
            connection.execute(sa.text(statement))
            assert {one.kind for one in judge(connection).breaks} == {Kind.GUARD}


def test_a_trigger_or_rule_of_somebody_else_is_named(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        statement = "CREATE TRIGGER mine AFTER INSERT ON audit_records BEGIN SELECT 1; END"
        words = "The trigger mine is none of the bot's."
    else:
        statement = "CREATE RULE mine AS ON INSERT TO audit_records DO INSTEAD NOTHING"
        words = "audit_records is not a plain table any more."
    connection.execute(sa.text(statement))
    assert [one.words for one in judge(connection).breaks] == [words]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_records SET act = 'denied'",
        "DELETE FROM audit_records",
        "DELETE FROM audit_records WHERE seq = 3",
        "DELETE FROM audit_head",
        "UPDATE audit_seals SET digest = ''",
        "DELETE FROM audit_seals",
        "TRUNCATE audit_records",
        "TRUNCATE audit_head, audit_seals",
        "INSERT OR REPLACE INTO audit_records SELECT * FROM audit_records",
        "REPLACE INTO audit_seals SELECT * FROM audit_seals",
        "UPDATE OR REPLACE audit_records SET seq = 1 WHERE seq = 2",
        "INSERT INTO audit_records SELECT * FROM audit_records ON CONFLICT (seq) DO UPDATE SET act = 'denied'",
        "MERGE INTO audit_records r USING audit_head h ON r.seq = h.seq WHEN MATCHED THEN DELETE",
    ],
)
def test_the_database_refuses_what_is_no_appending(connection: sa.Connection, statement: str) -> None:
    seal = {"last_seq": 1, "first_seq": 1, "hash": "", "digest": ""}
    with connection.begin_nested():
        connection.execute(sa.text("INSERT INTO audit_seals VALUES (:last_seq, :first_seq, :hash, :digest)"), seal)
    with pytest.raises(sa.exc.DBAPIError), connection.begin_nested():
        connection.execute(sa.text(statement))
    assert len(stored(connection).rows) == LENGTH


@pytest.mark.postgres
def test_calling_oneself_a_replica_opens_no_door_in_postgres(postgres_url: str) -> None:
    engine = migrate.plain_engine(postgres_url)
    with engine.begin() as connection:
        append(connection, [entry(1)], (KEY,))
    with engine.connect() as connection:
        connection.execute(sa.text("SET session_replication_role = replica"))
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            connection.execute(sa.text("UPDATE audit_records SET act = 'denied'"))
    engine.dispose()


def test_a_cut_off_end_and_an_old_backup_show_by_what_was_witnessed(connection: sa.Connection) -> None:
    disarm(connection)
    before = stored(connection)
    known = Attestation(LENGTH, before.rows[-1][HASH][:16], "The audit channel")
    with rolled_back(connection):
        after = copy.deepcopy(before)
        del after.rows[5:]
        after.head = Point(5, after.rows[-1][HASH])
        write(connection, before, after)
        assert touched(judge(connection)) == []
        assert touched(judge(connection, known)) == [("tail cut", 6, LENGTH)]
        # The bot goes on after the old backup was restored, and writes other records in the place of those that are gone.
        denied = facts(Act.DENIED)
        later = [Entry(Act.DENIED, "T01", "U02BOB", request_id=f"later {n}", facts=denied) for n in range(LENGTH)]
        append(connection, later, (KEY,))
        assert touched(judge(connection)) == []
        assert touched(judge(connection, known)) == [("forked", LENGTH, LENGTH)]


def test_a_second_head_and_a_seal_that_nobody_recorded_are_named(connection: sa.Connection) -> None:
    with rolled_back(connection):
        connection.execute(sa.text("INSERT INTO audit_head (id, seq, hash) VALUES (2, 0, '')"))
        assert touched(judge(connection)) == [("head changed", 0, 0)]
    digest = "d" * 64
    seal = {"last": 5, "first": 1, "hash": stored(connection).rows[4][HASH], "digest": digest}
    connection.execute(sa.text("INSERT INTO audit_seals VALUES (:last, :first, :hash, :digest)"), seal)
    assert touched(judge(connection)) == [("inserted", 1, 5), ("seal", 1, 5)]
    connection.execute(sa.text("DELETE FROM audit_records WHERE seq <= 5"))
    assert touched(judge(connection)) == [("seal", 1, 5)]


async def test_time_in_the_trail_never_runs_backwards_though_a_clock_does(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = migrate.plain_engine(database_url)
    with engine.begin() as connection:
        append(connection, [entry(1)], (KEY,))
        connection.execute(sa.update(audit_head).values(at=datetime(2099, 1, 1, tzinfo=UTC)))
        append(connection, [entry(2)], (KEY,))
        assert stored(connection).rows[1][1] == "2099-01-01T00:00:00.000000Z"
    engine.dispose()
