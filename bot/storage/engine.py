"""Engines for SQLite and Postgres: one for writing, one for reading, set up so that a commit is durable when it returns.

SQLite has one writer connection; a second one would only wait for its lock, and spin while it does. WAL needs a local disk.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url

from bot.domain.errors import InvalidSettings, NotRecorded
from bot.domain.installations import insist_on_id

BUSY_TIMEOUT = 10_000  # milliseconds SQLite waits for another process's lock
STATEMENT_TIMEOUT = 10_000  # milliseconds Postgres may take for one statement
CONNECT_TIMEOUT = 5  # seconds
OPTIONS = f"-c statement_timeout={STATEMENT_TIMEOUT} -c synchronous_commit=on -c timezone=UTC"
_SCHEMA = re.compile(r"-csearch_path=(workspace_[a-z0-9]+)")


def parse_url(text: str, name: str = "DATABASE_URL") -> URL:
    """`sqlite:///path` or `postgresql://…` with the driver that the bot uses. Raises InvalidSettings, which says that `name`
    is wrong."""
    try:
        url = make_url(text)
    except sa.exc.ArgumentError:
        raise InvalidSettings(
            f"{name} can't be read. Write sqlite:///path/to/file.db or postgresql://user:password@host/name."
        ) from None
    match url.get_backend_name():
        case "sqlite":
            if url.database in (None, "", ":memory:"):
                raise InvalidSettings(f"{name}: an SQLite database needs a file, as in sqlite:///data/workflow-bot.db.")
            return url
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql")
        case other:
            raise InvalidSettings(f"{name}: {other} is not supported. Use sqlite:///… or postgresql://….")


def workspace_url(text: str, workspace_id: str) -> str:
    """The URL of a workspace's own database: on SQLite a file beside the one named, on Postgres a schema in the same
    database, and no other schema is searched for a table. Raises InvalidSettings, and ValueError for what is no id.
    """
    url, name = parse_url(text), insist_on_id(workspace_id)
    if url.get_backend_name() == "sqlite":
        file = Path(str(url.database))
        url = url.set(database=str(file.with_name(f"{file.stem}.{name}{file.suffix}")))
    else:
        given = url.query.get("options", "")
        url = url.update_query_dict({"options": f"{given} -csearch_path=workspace_{name.lower()}".strip()})
    return url.render_as_string(hide_password=False)


def schema_of(url: URL) -> str | None:
    """The schema of a workspace that the URL names; None for the main database, and on SQLite."""
    found = _SCHEMA.findall(str(url.query.get("options", "")))
    return found[-1] if found else None


def open_engines(text: str) -> tuple[sa.Engine, sa.Engine]:
    """The engine for writing and the engine for reading. Nothing is connected yet. Raises InvalidSettings."""
    url = parse_url(text)
    if url.get_backend_name() == "sqlite":
        make_parent(url)
        writer = sa.create_engine(url, pool_size=1, max_overflow=0, hide_parameters=True)
        reader = sa.create_engine(url, pool_size=4, max_overflow=0, hide_parameters=True)
        prepare_sqlite(writer, "BEGIN IMMEDIATE")
        prepare_sqlite(reader, "")
        return writer, reader
    options: dict[str, Any] = {
        "hide_parameters": True,
        "pool_pre_ping": False,  # the writer runs a failed transaction again on a new connection, which costs nothing when well
        "pool_recycle": 1800,
    }
    return (
        postgres_engine(url, pool_size=2, max_overflow=0, **options),
        postgres_engine(url, pool_size=5, max_overflow=0, isolation_level="AUTOCOMMIT", **options),
    )


def postgres_engine(url: URL, options: str = OPTIONS, **arguments: Any) -> sa.Engine:
    """An engine that sees the schema of the URL, and no other. `options` are the session's settings."""
    given = str(url.query.get("options", ""))
    plain = url.difference_update_query(["options"]).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(plain, connect_args=postgres_arguments(f"{given} {options}".strip()), **arguments)
    if schema := schema_of(url):
        _insist_on_schema(engine, schema)
    return engine


def _insist_on_schema(engine: sa.Engine, schema: str) -> None:
    """A pooler in between may drop a session's settings; then these would be the tables of somebody else."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW search_path")
            found = cursor.fetchone()[0]
        connection.rollback()
        if found != schema:
            raise NotRecorded(
                "The connection to Postgres did not keep the workspace's schema, so nothing was done. A pooler in between"
                " has to pass the startup option search_path on: docs/workspaces.md."
            )


def make_parent(url: URL) -> None:
    """Make the folder of an SQLite file, readable by its owner only."""
    parent = Path(str(url.database)).parent
    if not parent.exists():
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def postgres_arguments(options: str) -> dict[str, Any]:
    """Arguments of psycopg. Without prepared statements PgBouncer needs nothing more; a commit waits for the disk."""
    # Here, as what it imports takes 150 ms, for which nobody on SQLite should wait.
    from bot.storage.postgres_cursor import Cursor

    return {
        "connect_timeout": CONNECT_TIMEOUT,
        "prepare_threshold": None,
        "options": options,
        "application_name": "workflow-bot",
        "keepalives_idle": 30,
        "tcp_user_timeout": 15_000,
        "cursor_factory": Cursor,
    }


def cause_of(error: BaseException) -> str:
    """What the database said, on one line and without a full stop."""
    return str(getattr(error, "orig", None) or error).strip().split("\n")[0].removesuffix(".")


def prepare_sqlite(engine: sa.Engine, begin: str) -> None:
    """Take transactions into our own hands: with the driver's default five increments at once lost four, without an error.

    Without `begin` each statement stands by itself, as it does for the reader on Postgres.
    """

    @event.listens_for(engine, "do_connect")
    def _make(*_: Any) -> None:
        # Only where it isn't there: to close a file takes away every lock that this process has on it, and then whoever closes
        # the database last, as they think, deletes the log with what was committed (sqlite.org/howtocorrupt.html, 2.2).
        # What else is wrong SQLite says by itself; its other files take over the mode of this one.
        with contextlib.suppress(OSError):
            os.close(os.open(str(engine.url.database), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    if begin:

        @event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql(begin)
