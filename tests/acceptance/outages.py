"""What can happen to a database: away, read-only, locked by somebody else. Done to the real one, from outside the bot."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.acceptance.scene import Scene


def is_sqlite(scene: Scene) -> bool:
    return scene.database_url.startswith("sqlite")


@contextlib.asynccontextmanager
async def database_away(scene: Scene) -> AsyncIterator[None]:
    """Postgres takes no connection and has ended all; SQLite is locked by another process, so that nothing is written."""
    if is_sqlite(scene):
        with _sqlite_lock(scene.database_url):
            yield
        return
    await asyncio.to_thread(_alter, scene.database_url, "ALLOW_CONNECTIONS false")
    try:
        yield
    finally:
        await asyncio.to_thread(_alter, scene.database_url, "ALLOW_CONNECTIONS true")


@contextlib.asynccontextmanager
async def database_read_only(scene: Scene) -> AsyncIterator[None]:
    """As a standby, a full disk or a file without write permission makes it."""
    if is_sqlite(scene):
        await _query_only(scene, "ON")
    else:
        await asyncio.to_thread(_alter, scene.database_url, "SET default_transaction_read_only = on")
    try:
        yield
    finally:
        if is_sqlite(scene):
            await _query_only(scene, "OFF")
        else:
            await asyncio.to_thread(_alter, scene.database_url, "RESET default_transaction_read_only")


@contextlib.asynccontextmanager
async def locked_for(scene: Scene, seconds: float) -> AsyncIterator[None]:
    """Somebody else holds what the bot has to write, from now on for so long; the end waits for that."""
    held = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold() -> None:
        with _sqlite_lock(scene.database_url) if is_sqlite(scene) else _postgres_lock(scene.database_url):
            loop.call_soon_threadsafe(held.set)
            time.sleep(seconds)

    holding = asyncio.create_task(asyncio.to_thread(hold))
    await held.wait()
    try:
        yield
    finally:
        await holding


@contextlib.contextmanager
def _sqlite_lock(url: str) -> Iterator[None]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=10)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


@contextlib.contextmanager
def _postgres_lock(url: str) -> Iterator[None]:
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE runs, workflows, grants IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


async def _query_only(scene: Scene, switch: str) -> None:
    # SQLite has no switch outside the process, and a read-only file stops nobody who is root; the writer has one connection.
    def work() -> None:
        raw = scene.world.bot.store._writer.raw_connection()  # below what would begin a transaction first
        raw.cursor().execute(f"PRAGMA query_only={switch}")
        raw.close()

    await asyncio.to_thread(work)


def _alter(url: str, change: str) -> None:
    """Change the database from another one, and end every connection to it, so that new ones meet the change."""
    parts = urlsplit(url)
    name = parts.path.removeprefix("/")
    beside = f"{parts.scheme}://{parts.netloc}/postgres" + (f"?{parts.query}" if parts.query else "")
    with psycopg.connect(beside, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ").format(sql.Identifier(name)) + sql.SQL(change))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
