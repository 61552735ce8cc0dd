"""The databases that tests get are what they are said to be. What leaks from one test to the next is no test."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.databases import DatabaseServer, SqliteFolder


def test_an_empty_database_takes_connections_and_has_no_tables(empty_database_url: str) -> None:
    if empty_database_url.startswith("postgresql://"):
        with psycopg.connect(empty_database_url) as connection:
            rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    else:
        with closing(sqlite3.connect(empty_database_url.removeprefix("sqlite:///"))) as file:
            rows = file.execute("SELECT name FROM sqlite_master").fetchall()
    assert rows == []


@pytest.mark.postgres
def test_two_postgres_databases_share_nothing(postgres_server: DatabaseServer) -> None:
    one, other = postgres_server.empty(), postgres_server.empty()
    with psycopg.connect(one) as connection:
        connection.execute("CREATE TABLE only_here (id integer)")
    with psycopg.connect(other) as connection:
        row = connection.execute("SELECT to_regclass('only_here')").fetchone()
    assert row == (None,)
    postgres_server.drop(one)
    postgres_server.drop(other)


@pytest.mark.postgres
def test_a_postgres_database_is_dropped_while_somebody_is_connected(postgres_server: DatabaseServer) -> None:
    url = postgres_server.empty()
    with psycopg.connect(url):
        postgres_server.drop(url)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_dropping_an_sqlite_database_deletes_its_write_ahead_log_too(tmp_path: Path) -> None:
    folder = SqliteFolder(tmp_path)
    url = folder.empty()
    path = Path(url.removeprefix("sqlite:///"))
    for name in (path.name, path.name + "-wal", path.name + "-shm"):
        (tmp_path / name).touch()
    folder.drop(url)
    assert list(tmp_path.iterdir()) == []


def test_a_migrated_database_has_the_schema_and_no_rows(database_url: str) -> None:
    if database_url.startswith("postgresql://"):
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT count(*) FROM alembic_version").fetchone()
    else:
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as file:
            row = file.execute("SELECT count(*) FROM alembic_version").fetchone()
    assert row == (1,)
