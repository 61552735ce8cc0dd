"""Stores on a real database, and roles of a real Postgres."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import psycopg
import pytest
from psycopg import sql

from bot.storage.engine import open_engines
from bot.storage.store import SqlStore
from tests.databases import DatabaseServer

OpenStore = Callable[[str], SqlStore]


@pytest.fixture
async def open_store() -> AsyncIterator[OpenStore]:
    """Opens a store on a URL, as one replica would; closed when the test ends."""
    async with AsyncExitStack() as stack:

        def open_it(url: str) -> SqlStore:
            store = SqlStore(*open_engines(url), (b"audit key",))
            store.start()
            stack.push_async_callback(store.close)
            return store

        yield open_it


@pytest.fixture
async def store(open_store: OpenStore, database_url: str) -> SqlStore:
    return open_store(database_url)


@pytest.fixture
def role(postgres_server: DatabaseServer) -> Iterator[str]:
    """A name that no role of the server has; the role is gone afterwards."""
    name = f"bot_{uuid.uuid4().hex[:12]}"
    yield name
    with psycopg.connect(postgres_server._url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def owned(postgres_server: DatabaseServer, role: str) -> Iterator[str]:
    """The owner's URL of a migrated database, dropped before the role, which has rights in it."""
    url = postgres_server.migrated()
    yield url
    postgres_server.drop(url)
