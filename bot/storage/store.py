"""The database as the use cases see it: one question, or one transaction, at a time.

Writes are committed in groups: what waits while a commit is under way goes into the next one, in the order it came. So one
disk flush and one turn at the end of the audit chain serve many requests, and the chain has no gaps and no forks.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from bot.domain.audit import Entry
from bot.domain.audit_keys import Keys
from bot.domain.errors import NotRecorded
from bot.storage.approvals import ApprovalRows
from bot.storage.audit import AuditRows, append
from bot.storage.authenticators import AuthenticatorRows
from bot.storage.catalogue import CatalogueRows
from bot.storage.engine import cause_of
from bot.storage.installations import InstallationRows
from bot.storage.locks import LockRows
from bot.storage.outbox import OutboxRows
from bot.storage.policy import PolicyRows
from bot.storage.replicas import ReplicaRows
from bot.storage.runs import RunRows
from bot.storage.samples import SampleRows
from bot.storage.witnesses import WitnessRows
from bot.use_cases.telemetry import Telemetry

T = TypeVar("T")

READERS = 4  # threads, and connections, for reading
GROUP = 64  # how many transactions share one commit at most

_CLOCK = sa.select(sa.func.clock_timestamp())

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Transaction(
    CatalogueRows,
    PolicyRows,
    LockRows,
    RunRows,
    ApprovalRows,
    AuthenticatorRows,
    AuditRows,
    WitnessRows,
    OutboxRows,
    ReplicaRows,
    SampleRows,
    InstallationRows,
):
    """Everything that can be asked of, and done to, the database inside one transaction."""

    connection: sa.Connection
    moment: datetime | None = None
    recorded: list[Entry] = field(default_factory=list)
    waited: list[tuple[str, float]] = field(default_factory=list)  # how approvals were decided, after so many seconds

    @property
    def now(self) -> datetime:  # type: ignore[override]  # nobody sets it
        """The database's time, asked for at its first use: on Postgres that is a question too, and few need it."""
        if self.moment is None:
            self.moment = _now(self.connection)
        return self.moment

    def record(self, entry: Entry) -> None:
        """Have the act recorded in this transaction's commit."""
        self.recorded.append(entry)


@dataclass(slots=True)
class _Waiting:
    work: Callable[[Any], Any]
    done: asyncio.Future[Any]
    starts: bool
    recorded: Sequence[Entry] = ()
    waited: Sequence[tuple[str, float]] = ()


class SqlStore:
    """SQLite or Postgres behind two engines. `start` before the first write, `close` after the last.

    SQL runs in threads of its own, one for writing and a few for reading: a statement then costs no turn of the event
    loop, of which an asynchronous driver takes several.
    """

    def __init__(
        self, writer: sa.Engine, reader: sa.Engine, audit_keys: Keys, telemetry: Telemetry | None = None
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._audit_keys = audit_keys
        self._telemetry = telemetry or Telemetry()
        self._writing = ThreadPoolExecutor(1, "database-writer")
        self._reading = ThreadPoolExecutor(READERS, "database-reader")
        self._queue: asyncio.Queue[_Waiting | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._writing_since: float | None = None

    def writing_for(self) -> float:
        """Seconds that the commit under way has taken so far."""
        return 0.0 if self._writing_since is None else time.monotonic() - self._writing_since

    def start(self) -> None:
        self._task = asyncio.create_task(self._commit_groups(), name="database writer")

    async def close(self) -> None:
        """Commit what waits, then let go of all connections."""
        self._closed = True
        if self._task is not None:
            self._queue.put_nowait(None)
            await self._task
        await asyncio.to_thread(self._let_go)

    async def read(self, question: Callable[[Any], T]) -> T:
        """Answer a question: advice, as others may write meanwhile, also between two statements; what counts is asked again
        inside `write`.

        Raises NotRecorded when the database can't be read.
        """
        with self._telemetry.database("read"):
            try:
                return await self._ask(question)
            except NotRecorded as error:
                if not getattr(error.__cause__, "connection_invalidated", False):
                    raise
            # The database had ended the connection, as after a failover. The pool has dropped it, and reading changes nothing.
            return await self._ask(question)

    async def write(self, work: Callable[[Any], T], *, starts: bool = False) -> T:
        """Commit `work`, and the audit entries it records, in one transaction. Raises NotRecorded: then nothing is changed.

        `starts`: it may let a waiting run start, so its transaction waits for others that do before it takes any row: whoever
        waited with a row in hand could be waited for in turn. A caller that is cancelled while it waits doesn't cancel the
        work.
        """
        if self._closed:
            raise NotRecorded("The bot is stopping, so nothing was done. Try again in a moment.")
        waiting = _Waiting(work, asyncio.get_running_loop().create_future(), starts)
        with self._telemetry.database("write") as transaction:
            self._queue.put_nowait(waiting)
            result: T = await asyncio.shield(waiting.done)
            transaction.recorded = waiting.recorded
        return result

    async def unfit_keys(self) -> str:
        """Why nothing can be recorded with the AUDIT_KEY that is set; empty where it can be.

        Also empty where the database can't be asked: that is told by whoever wants something of it.
        """
        try:
            return await self.read(lambda tx: str(tx.unfit(self._audit_keys)))
        except NotRecorded:
            return ""

    async def insist_on_keys(self) -> None:
        """Raises NotRecorded where the trail goes on with another AUDIT_KEY: whoever can record nothing need not begin."""
        if words := await self.unfit_keys():
            raise NotRecorded(words)

    async def _ask(self, question: Callable[[Any], T]) -> T:
        if self._closed:
            raise NotRecorded("The bot is stopping. Try again in a moment.")
        answer = contextvars.copy_context().run  # so that what is logged there names the request too
        return await asyncio.get_running_loop().run_in_executor(self._reading, answer, self._answer, question)

    def _answer(self, question: Callable[[Any], T]) -> T:
        with _database_errors("read"), self._reader.connect() as connection:
            return question(Transaction(connection))

    def _let_go(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._writer.dispose()
        self._reader.dispose()

    async def _commit_groups(self) -> None:
        while (first := await self._queue.get()) is not None:
            group = [first]
            stop = False
            while len(group) < GROUP and not self._queue.empty():
                more = self._queue.get_nowait()
                if more is None:
                    stop = True
                    break
                group.append(more)
            self._writing_since = time.monotonic()
            await self._commit(group)
            self._writing_since = None
            if stop:
                return

    async def _commit(self, group: list[_Waiting]) -> None:
        """Commit a group; where that fails, each of its works alone, so that one can't take the others down.

        A work is safe to run again: it moves rows by compare-and-set and inserts them by unique key.
        """
        try:
            results = await self._in_writer(group)
        except Exception as error:
            if isinstance(error, NotRecorded):
                log.warning("the database did not commit, trying once more: %s", error.cause)
            for waiting in group:
                await self._commit_alone(waiting)
            return
        for waiting, result in zip(group, results, strict=True):
            _settle(waiting, result)

    async def _commit_alone(self, waiting: _Waiting) -> None:
        try:
            (result,) = await self._in_writer([waiting])
        except Exception as error:  # whatever it is, it belongs to the one who asked
            if not waiting.done.done():
                waiting.done.set_exception(error)
        else:
            _settle(waiting, result)

    async def _in_writer(self, group: list[_Waiting]) -> list[Any]:
        began = time.perf_counter()
        results = await asyncio.get_running_loop().run_in_executor(self._writing, self._transaction, group)
        entries = [entry for waiting in group for entry in waiting.recorded]
        waited = [one for waiting in group for one in waiting.waited]
        self._telemetry.committed(len(group), time.perf_counter() - began, entries, waited)
        return results

    def _transaction(self, group: list[_Waiting]) -> list[Any]:
        with _database_errors("write"), self._writer.begin() as connection:
            if any(waiting.starts for waiting in group):
                Transaction(connection).hold_limits()
            now = _now(connection)  # after any wait, so that it is not the past
            entries: list[Entry] = []
            results = []
            for waiting in group:
                transaction = Transaction(connection, now)
                results.append(waiting.work(transaction))
                waiting.recorded, waiting.waited = transaction.recorded, transaction.waited
                entries += transaction.recorded
            append(connection, entries, self._audit_keys)
            return results


def _settle(waiting: _Waiting, result: Any) -> None:
    if not waiting.done.done():
        waiting.done.set_result(result)


def _now(connection: sa.Connection) -> datetime:
    """The database's time on Postgres, so that replicas agree; on SQLite there is one machine and one clock."""
    if connection.dialect.name == "postgresql":
        moment: datetime = connection.execute(_CLOCK).scalar_one()
        return moment.astimezone(UTC)
    return datetime.now(UTC)


@contextlib.contextmanager
def _database_errors(what: str) -> Any:
    """Every way a database can fail, as the one error that people can act on. The driver's words go to the log."""
    try:
        yield
    # SQLite's own come from rows that are fetched past SQLAlchemy (bot/storage/audit.py).
    except (sa.exc.DBAPIError, sa.exc.TimeoutError, sqlite3.Error, OSError) as error:
        cause = f"{type(getattr(error, 'orig', None) or error).__name__}: {cause_of(error)[:200]}"
        log.error("database %s failed: %s", what, cause)
        raise NotRecorded(cause=cause) from error
