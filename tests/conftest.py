"""Fixtures that every room of tests may ask for: databases of both kinds, and a browser."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.observability import Redaction
from tests.databases import DatabaseServer, SqliteFolder, embedded_postgres_server

BOTH_DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(autouse=True)
def loggers_that_speak() -> None:
    """A tool that a test calls may have switched every logger off; the next test listens to them."""
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = False
    for handler in list(logging.root.handlers):
        if any(isinstance(one, Redaction) for one in handler.filters):  # left by a test of logging: it empties records
            logging.root.removeHandler(handler)


@pytest.fixture(scope="session")
def sqlite_folder(tmp_path_factory: pytest.TempPathFactory) -> SqliteFolder:
    """Makes SQLite databases."""
    return SqliteFolder(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[DatabaseServer]:
    """Makes Postgres databases, on the server at TEST_DATABASE_URL or on one that lives as long as the session."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        server = DatabaseServer(url)
        yield server
        server.drop_template()
        return
    with embedded_postgres_server() as url:
        yield DatabaseServer(url)


def _databases(request: pytest.FixtureRequest) -> SqliteFolder | DatabaseServer:
    # By name, so that tests on SQLite alone start no Postgres.
    found = request.getfixturevalue("sqlite_folder" if request.param == "sqlite" else "postgres_server")
    assert isinstance(found, SqliteFolder | DatabaseServer)
    return found


@pytest.fixture(params=BOTH_DATABASES)
def empty_database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database without tables; the test runs once on SQLite and once on Postgres."""
    databases = _databases(request)
    url = databases.empty()
    yield url
    databases.drop(url)


@pytest.fixture(params=BOTH_DATABASES)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database with the newest schema; the test runs once on SQLite and once on Postgres."""
    databases = _databases(request)
    url = databases.migrated()
    yield url
    databases.drop(url)


@pytest.fixture
def sqlite_url(sqlite_folder: SqliteFolder) -> Iterator[str]:
    """The URL of an SQLite database with the newest schema."""
    url = sqlite_folder.migrated()
    yield url
    sqlite_folder.drop(url)


@pytest.fixture
def postgres_url(postgres_server: DatabaseServer) -> Iterator[str]:
    """The URL of a Postgres database with the newest schema; the test wants the marker `postgres`."""
    url = postgres_server.migrated()
    yield url
    postgres_server.drop(url)


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """A Chromium to drive: $CHROMIUM, or the first on the PATH.

    Without one, tests are skipped; with REQUIRE_BROWSER=1, as in CI, they fail.
    """
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found:
        return Path(found)
    missing = "No Chromium found: install the package `chromium`, or set CHROMIUM to the path of one."
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(missing)
    pytest.skip(missing)
