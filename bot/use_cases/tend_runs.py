"""Look after the runs that are due: launch what was left ready, call lost what was left launching, follow what runs, and
search for what was lost.

The runs table is the queue. A process launches at once what it has recorded itself; a poll finds everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.domain.catalogue import CatalogueEntry
from bot.domain.errors import NotRecorded
from bot.domain.runs import Run, State
from bot.use_cases import pace
from bot.use_cases.find_lost_run import find_lost_run
from bot.use_cases.follow_run import follow
from bot.use_cases.launch_run import launch, lost_launch
from bot.use_cases.ports import Accounts, Recompile, Sealer, Store, Writing
from bot.use_cases.telemetry import COME_ROUND, REQUEST

T = TypeVar("T")

log = logging.getLogger(__name__)


async def claim_launches(store: Store) -> list[Run]:
    """Take what is to be launched, for one lease. Runs found *launching* have lost their worker and become *unknown*."""

    def work(tx: Writing) -> list[Run]:
        due = tx.claim_runs({State.READY, State.LAUNCHING}, tx.now + pace.LEASE, pace.LAUNCHES_AT_ONCE)
        for run in due:
            if run.state is State.LAUNCHING:
                lost_launch(tx, run)
        return [run for run in due if run.state is State.READY]

    return await store.write(work)


async def claim_looks(store: Store, limit: int) -> list[Run]:
    """Take runs to follow or to search for, for one lease."""
    return await store.write(lambda tx: tx.claim_runs({State.RUNNING, State.UNKNOWN}, tx.now + pace.LEASE, limit))


class RunWorker:
    """Does the work on runs that this process holds, each in a task of its own, and looks for those that nobody holds."""

    def __init__(
        self,
        store: Store,
        datadog: Accounts,
        sealer: Sealer,
        recompile: Recompile,
        announce: Callable[[], None],
    ) -> None:
        self._store = store
        self._datadog = datadog
        self._sealer = sealer
        self._recompile = recompile
        self._announce = announce
        self._launches: dict[asyncio.Task[None], Run] = {}
        self._looks: dict[asyncio.Task[None], Run] = {}
        self._wake = asyncio.Event()
        self._looks_from = 0.0

    def start(self, run: Run, entry: CatalogueEntry | None = None) -> None:
        """Launch a run that this process holds; returns at once. `entry`: its workflow, read with the run's request just now."""
        self._begin(self._launches, run, self._launch(run, entry))

    def wake(self) -> None:
        """Look for due runs now rather than at the next poll."""
        self._wake.set()

    async def tend(self, stopping: asyncio.Event) -> None:
        """Claim and work until `stopping` is set. A database that is away is waited for.

        Anything else that goes wrong ends it: it may be called again.
        """
        pause = pace.POLL
        while not stopping.is_set():
            COME_ROUND.get()()
            self._wake.clear()
            try:
                if await self._store.read(lambda tx: tx.runs_due()):
                    await self._take_due()
                pause = pace.POLL
            except NotRecorded as error:
                log.error("can't look for due runs, trying again in %.0f s: %s", pause, error.cause)
                pause = min(pace.LONGEST_PAUSE, pause * 2)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)

    async def drain(self, seconds: float) -> None:
        """Finish the calls in flight, and give back what was not begun. Looks are dropped: anybody can repeat them.

        A launch that is cut off here is found *launching* later, and becomes *unknown*.
        """
        for look in self._looks:
            look.cancel()
        if self._launches:
            _, late = await asyncio.wait(set(self._launches), timeout=seconds)
            for task in late:
                task.cancel()
        held = list(self._looks.values())
        await asyncio.gather(*self._looks, return_exceptions=True)
        if held:
            try:
                await self._store.write(lambda tx: tx.release_runs(held))
            except NotRecorded:
                log.warning("%d leases could not be given back; they run out by themselves", len(held))

    async def _take_due(self) -> None:
        for run in await claim_launches(self._store):
            self.start(run)
        self._announce()
        free = pace.FOLLOWED_AT_ONCE - len(self._looks)
        wait = self._looks_from - time.monotonic()
        if free <= 0 or wait > 0:
            return  # a look that ends wakes us; so does the poll
        runs = await claim_looks(self._store, free)
        self._looks_from = time.monotonic() + len(runs) / pace.LOOKS_PER_SECOND
        for run in runs:
            self._begin(self._looks, run, self._look(run))

    def _begin(self, tasks: dict[asyncio.Task[None], Run], run: Run, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        tasks[task] = run
        task.add_done_callback(lambda done: tasks.pop(done, None))

    async def _launch(self, run: Run, entry: CatalogueEntry | None) -> None:
        REQUEST.set(run.request_id)
        await self._guard(run, launch(run, self._store, self._datadog, self._sealer, self._recompile, entry))
        self._announce()

    async def _look(self, run: Run) -> None:
        REQUEST.set(run.request_id)
        if run.state is State.UNKNOWN:
            await self._guard(run, find_lost_run(run, self._store, self._datadog))
            self._announce()
        elif await self._guard(run, follow(run, self._store, self._datadog, self._sealer)):
            self._announce()  # most looks show nothing that is to be told before the next poll
        if len(self._looks) == pace.FOLLOWED_AT_ONCE:
            self.wake()

    async def _guard(self, run: Run, work: Awaitable[T]) -> T | None:
        try:
            return await work
        except NotRecorded:
            log.error("run %s: the database can't be written; it is taken up again when its lease runs out", run.id)
        except Exception:  # the run keeps its state, and its lease running out brings it back here
            log.exception("run %s: unexpected error", run.id)
        return None
