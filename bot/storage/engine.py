"""Engines for SQLite and Postgres: one for writing, one for reading, set up so that a commit is durable when it returns.

SQLite has one writer connection; a second one would only wait for its lock, and spin while it does. WAL needs a local disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url

from bot.domain.errors import InvalidSettings

BUSY_TIMEOUT = 10_000  # milliseconds SQLite waits for another process's lock
STATEMENT_TIMEOUT = 10_000  # milliseconds Postgres may take for one statement
CONNECT_TIMEOUT = 5  # seconds


def parse_url(text: str) -> URL:
    """`sqlite:///path` or `postgresql://…` with the driver that the bot uses. Raises InvalidSettings."""
    try:
        url = make_url(text)
    except sa.exc.ArgumentError:
        raise InvalidSettings(
            "DATABASE_URL can't be read. Write sqlite:///path/to/file.db or postgresql://user:password@host/name."
        ) from None
    match url.get_backend_name():
        case "sqlite":
            if url.database in (None, "", ":memory:"):
                raise InvalidSettings(
                    "DATABASE_URL: an SQLite database needs a file, as in sqlite:///data/workflow-bot.db."
                )
            return url
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql")
        case other:
            raise InvalidSettings(f"DATABASE_URL: {other} is not supported. Use sqlite:///… or postgresql://….")


def open_engines(text: str) -> tuple[sa.Engine, sa.Engine]:
    """The engine for writing and the engine for reading. Nothing is connected yet. Raises InvalidSettings."""
    url = parse_url(text)
    if url.get_backend_name() == "sqlite":
        make_parent(url)
        writer = sa.create_engine(url, pool_size=1, max_overflow=0, hide_parameters=True)
        reader = sa.create_engine(url, pool_size=4, max_overflow=0, hide_parameters=True)
        prepare_sqlite(writer, "BEGIN IMMEDIATE")
        prepare_sqlite(reader, "BEGIN")
        return writer, reader
    url = url.set(drivername="postgresql+psycopg")
    options: dict[str, Any] = {
        "hide_parameters": True,
        "connect_args": postgres_arguments(),
        "pool_pre_ping": False,  # the writer runs a failed transaction again on a new connection, which costs nothing when well
        "pool_recycle": 1800,
    }
    return sa.create_engine(url, pool_size=2, max_overflow=0, **options), sa.create_engine(
        url, pool_size=5, max_overflow=0, isolation_level="AUTOCOMMIT", **options
    )


def make_parent(url: URL) -> None:
    """Make the folder of an SQLite file, readable by its owner only."""
    parent = Path(str(url.database)).parent
    if not parent.exists():
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def postgres_arguments() -> dict[str, Any]:
    """Arguments of psycopg. Without prepared statements PgBouncer needs nothing more; a commit waits for the disk."""
    return {
        "connect_timeout": CONNECT_TIMEOUT,
        "prepare_threshold": None,
        "options": f"-c statement_timeout={STATEMENT_TIMEOUT} -c synchronous_commit=on -c timezone=UTC",
        "application_name": "workflow-bot",
        "keepalives_idle": 30,
        "tcp_user_timeout": 15_000,
    }


def prepare_sqlite(engine: sa.Engine, begin: str) -> None:
    """Take transactions into our own hands: with the driver's default five increments at once lost four, without an error."""

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

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)
