"""Everything from one database into another, in one transaction there: all of it, byte for byte, or nothing.

Driven by the tables as they are declared, so that a new table comes along by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import command
from sqlalchemy.dialects import postgresql

from bot.domain.audit_keys import Keys
from bot.domain.chain import Chain
from bot.domain.errors import Refused
from bot.domain.findings import START, Point
from bot.storage import condition, migrate
from bot.storage.engine import parse_url, schema_of
from bot.storage.runs import insert_into
from bot.storage.store import Transaction
from bot.storage.tables import metadata

AT_ONCE = 1000  # rows read and written together

_OWNER_OF_ANOTHERS = sa.text(
    "SELECT pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace"
    " WHERE nspname = :schema AND NOT pg_catalog.has_schema_privilege(oid, 'CREATE')"
)

Progress = Callable[[str, int, int], None]  # table, rows done, rows in all


def move(source_url: str, target_url: str, audit_keys: Keys, progress: Progress) -> dict[str, int]:
    """Copy every row, then read the audit trail back and verify it. Returns how many rows each table has.

    The source is only read, and nobody can write to it meanwhile. Raises Refused where one of the two is not as it has to
    be, and sqlalchemy errors; then the target is as empty as before.
    """
    current, newest = migrate.revisions(source_url)
    if current != newest:
        raise Refused(
            f"The database to move from is at revision {current}, and this version of the bot needs {newest}. Nothing was"
            " moved. Run: workflow-bot db upgrade"
        )
    source_engine, target_engine = migrate.plain_engine(source_url), migrate.plain_engine(target_url)
    try:
        with source_engine.connect() as connection, target_engine.begin() as target:
            source = _held_still(connection)
            if target.dialect.name == "postgresql":
                migrate.make_schema(target, schema_of(parse_url(target_url)))
            _insist_on_empty(target)
            command.upgrade(migrate.config_for(target), "head")
            rows = {table.name: _copy(table, source, target, progress) for table in metadata.sorted_tables}
            _verify(source, target, audit_keys)
            source.rollback()
            return rows
    finally:
        source_engine.dispose()
        target_engine.dispose()


def check_target(url: str) -> None:
    """See whether everything can be moved there, and leave it as it is. Raises Refused, and sqlalchemy errors."""
    file = condition.sqlite_file(url)
    if file is not None and not file.exists():
        return  # looking would make it
    engine = migrate.plain_engine(url)
    try:
        with engine.connect() as target, target.begin() as transaction:
            if target.dialect.name == "postgresql":
                migrate.make_schema(target, schema_of(parse_url(url)))
                _insist_on_right(target, schema_of(parse_url(url)))
            _insist_on_empty(target)
            transaction.rollback()
    finally:
        engine.dispose()


def _insist_on_right(target: sa.Connection, schema: str | None) -> None:
    """The right to make tables there. A schema that the role may not even look into is none to it."""
    asked = {"schema": schema or target.execute(sa.text("SELECT current_schema()")).scalar() or "public"}
    owner = target.execute(_OWNER_OF_ANOTHERS, asked).scalar()
    if owner:
        raise Refused(
            f"The schema {asked['schema']} there belongs to {owner}, and the role that --to names may make no tables in it."
            " Nothing was moved. Name its owner in --to, or have it taken away."
        )


def _held_still(source: sa.Connection) -> sa.Connection:
    """Keep everybody from writing until we are done, and see one state of it all. SQLite's BEGIN IMMEDIATE does that."""
    if source.dialect.name == "postgresql":
        source = source.execution_options(isolation_level="REPEATABLE READ")
        names = ", ".join(source.dialect.identifier_preparer.format_table(table) for table in metadata.sorted_tables)
        source.execute(sa.text(f"LOCK TABLE {names} IN SHARE MODE"))
    return source


def _insist_on_empty(target: sa.Connection) -> None:
    there = sa.inspect(target).get_table_names()
    if there:
        raise Refused(
            f"The database to move to is not empty: it has {len(there)} table(s), such as {min(there)}. Nothing was"
            " moved. Name a new one."
        )


def _copy(table: sa.Table, source: sa.Connection, target: sa.Connection, progress: Progress) -> int:
    count = sa.select(sa.func.count()).select_from(table)
    total = source.execute(count).scalar_one()
    statement = insert_into(target.dialect.name, table).values(
        {column.name: _bound(column, target) for column in table.columns}
    )
    if target.execute(count).scalar_one():  # the first rows, which the migrations have made, take over what ours say
        keys = table.primary_key.columns
        theirs = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
        statement = statement.on_conflict_do_update(index_elements=list(keys), set_=theirs)
    done = 0
    progress(table.name, done, total)
    for rows in _read(table, source):
        target.execute(statement, rows)
        done += len(rows)
        progress(table.name, done, total)
    arrived = target.execute(count).scalar_one()
    if not done == total == arrived:
        raise Refused(f"Of {total} rows of {table.name}, {arrived} arrived. Nothing was moved.")
    _go_on_counting(table, target)
    return done


def _read(table: sa.Table, source: sa.Connection) -> Iterator[list[dict[str, Any]]]:
    columns = [_as_written(column).label(f"new_{column.name}") for column in table.columns]
    query = sa.select(*columns).order_by(*table.primary_key.columns)
    with source.execution_options(yield_per=AT_ONCE).execute(query) as result:
        for part in result.mappings().partitions():
            yield [dict(row) for row in part]


def _as_written(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """JSON as its text, so that it isn't written anew in another way, and no JSON stays no JSON."""
    return sa.cast(column, sa.Text) if isinstance(column.type, sa.JSON) else column


def _bound(column: sa.Column[Any], target: sa.Connection) -> sa.ColumnElement[Any]:
    if not isinstance(column.type, sa.JSON):
        return sa.bindparam(f"new_{column.name}", type_=column.type)
    text = sa.bindparam(f"new_{column.name}", type_=sa.Text)
    return sa.cast(text, postgresql.JSON) if target.dialect.name == "postgresql" else sa.type_coerce(text, sa.Text)


def _go_on_counting(table: sa.Table, target: sa.Connection) -> None:
    """A number that the database gives is not given twice. SQLite looks at the rows; Postgres has to be told."""
    column = table.autoincrement_column
    if column is None or target.dialect.name != "postgresql":
        return
    sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
    last = sa.select(sa.func.max(column)).scalar_subquery()
    target.execute(sa.select(sa.func.setval(sequence, sa.func.coalesce(last, 1), last.is_not(None))))


def _verify(source: sa.Connection, target: sa.Connection, audit_keys: Keys) -> None:
    """The trail is the same on both sides, and whole: from the newest seal on, where a part of it was sealed away."""
    mine, theirs = Transaction(source, datetime.now(UTC)), Transaction(target, datetime.now(UTC))
    seals, end = theirs.seals(), theirs.trail_end()
    chain = Chain(audit_keys, Point(seals[-1].last, seals[-1].hash) if seals else START)
    while page := theirs.stored_records(chain.end.seq, end.last, AT_ONCE):
        for ours, arrived in zip(mine.stored_records(chain.end.seq, end.last, AT_ONCE), page, strict=True):
            if tuple(ours) != tuple(arrived):
                raise Refused(f"Record {ours[0]} of the audit trail did not arrive as it was. Nothing was moved.")
        chain.read(page)
    chain.finish(end.head)
    if chain.findings.count:
        found = chain.findings.breaks[0]
        raise Refused(
            f"The audit trail is not one chain at record {found.seq}: {found.words} Nothing was moved."
            " See: workflow-bot audit verify"
        )
