"""Look after the runs that are due: launch what a dead or restarted worker left ready, call lost what it left launching.

The runs table is the queue. A process launches at once what it has recorded itself; a poll finds what others left.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

from bot.domain.errors import NotRecorded
from bot.domain.runs import Run, State
from bot.use_cases.launch_run import LEASE, give_up_on_lost_launch, launch
from bot.use_cases.ports import Datadog, Sealer, Store, Writing

POLL = 1.0  # seconds between looks for what others left
LONGEST_PAUSE = 15.0  # seconds between looks while the database is away
BATCH = 50

log = logging.getLogger(__name__)


async def claim_due(store: Store) -> list[Run]:
    """Take what is due, for one lease. Runs found *launching* have lost their worker and become *unknown* here."""

    async def work(tx: Writing) -> list[Run]:
        ready = []
        for run in await tx.claim_runs(tx.now + LEASE, BATCH):
            if run.state is State.READY:
                ready.append(run)
            elif run.state is State.LAUNCHING:
                await give_up_on_lost_launch(tx, run)
        return ready

    return await store.write(work)


class RunWorker:
    """Launches the runs that this process holds, each in a task of its own, and looks for those that nobody holds."""

    def __init__(
        self, store: Store, datadog: Mapping[str, Datadog], sealer: Sealer, announce: Callable[[], None]
    ) -> None:
        self._store = store
        self._datadog = datadog
        self._sealer = sealer
        self._announce = announce
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, run: Run) -> None:
        """Launch a run that this process holds; returns at once."""
        task = asyncio.create_task(self._launch(run), name=f"launch {run.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def tend(self, stopping: asyncio.Event) -> None:
        """Claim and launch what is due until `stopping` is set. A database that is away is waited for."""
        pause = POLL
        while not stopping.is_set():
            try:
                if await self._store.read(lambda tx: tx.runs_due()):
                    for run in await claim_due(self._store):
                        self.start(run)
                    self._announce()
                pause = POLL
            except NotRecorded as error:
                log.error("can't look for due runs, trying again in %.0f s: %s", pause, error)
                pause = min(LONGEST_PAUSE, pause * 2)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)

    async def drain(self, seconds: float) -> None:
        """Wait for the calls in flight. A launch cut off here is found *launching* later, and becomes *unknown*."""
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()

    async def _launch(self, run: Run) -> None:
        try:
            await launch(run, self._store, self._datadog, self._sealer)
        except NotRecorded:
            log.error("run %s was not launched: the database can't be written; it stays ready", run.id)
        except Exception:  # the run keeps its state, and its lease running out brings it back here
            log.exception("run %s: unexpected error while launching", run.id)
        self._announce()
