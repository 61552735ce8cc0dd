"""Databases for a run: an SQLite file, or a Postgres of its own that really waits for the disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.databases import FAST_AND_FORGETFUL, DatabaseServer, embedded_postgres_server

KINDS = ("sqlite", "postgres")


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database, which is gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    with embedded_postgres_server() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            # Tests switch durability off; a figure that is to mean something needs it on, as it is by default.
            for setting in FAST_AND_FORGETFUL:
                connection.execute(f"ALTER SYSTEM RESET {setting.split()[0]}".encode())
            connection.execute("SELECT pg_reload_conf()")
        yield DatabaseServer(url).empty()


def tidy(url: str) -> None:
    """What Postgres does by itself within a minute: forget the rows that are gone. Nothing on SQLite."""
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
