"""Stores on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from bot.storage.engine import open_engines
from bot.storage.store import SqlStore

OpenStore = Callable[[str], SqlStore]


@pytest.fixture
async def open_store() -> AsyncIterator[OpenStore]:
    """Opens a store on a URL, as one replica would; closed when the test ends."""
    async with AsyncExitStack() as stack:

        def open_it(url: str) -> SqlStore:
            store = SqlStore(*open_engines(url), b"audit key")
            store.start()
            stack.push_async_callback(store.close)
            return store

        yield open_it


@pytest.fixture
async def store(open_store: OpenStore, database_url: str) -> SqlStore:
    return open_store(database_url)
