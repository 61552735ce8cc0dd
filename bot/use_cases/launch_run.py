"""Launch a run: once or not at all.

*launching* is committed right before the call. Whatever happens after that commit, the run is never sent again unless
Datadog surely started nothing (a 429, or a connection that was never made). A lost answer ends as *unknown*.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from bot.domain.audit import Act, Entry
from bot.domain.errors import (
    DatadogLimited,
    DatadogRefused,
    DatadogUnreachable,
    NotRecorded,
    OutcomeUnknown,
    UnreadableSecret,
)
from bot.domain.runs import Run, State
from bot.use_cases.ports import Datadog, Sealer, Store, Writing

T = TypeVar("T")

LEASE = timedelta(seconds=60)  # how long a worker may hold a run before another takes it over
CALL_LIMIT = 25.0  # seconds; the longest an execute call may take, well inside the lease
PATIENCE = timedelta(
    minutes=15
)  # how long a run waits for Datadog to be reachable, or to stop limiting, before it gives up
FIRST_WAIT, LONGEST_WAIT = 2.0, 60.0  # seconds between attempts where Datadog names none

log = logging.getLogger(__name__)


async def launch(run: Run, store: Store, datadog: Mapping[str, Datadog], sealer: Sealer) -> Run | None:
    """Launch a run that this process holds. Returns it as it is now, or None where another worker has taken it over.

    Raises NotRecorded when *launching* could not be committed: then nothing was sent.
    """
    client = datadog.get(run.account)
    if client is None:
        reason = f"No keys are configured for the Datadog account “{run.account}”. Nothing was started."
        return await store.write(lambda tx: _end(tx, run, State.NOT_STARTED, Act.LAUNCH_REFUSED, reason))
    try:
        payload = {**run.inputs, **(sealer.unseal(run.sealed) if run.sealed else {})}
    except UnreadableSecret as error:
        reason = str(error)
        return await store.write(lambda tx: _end(tx, run, State.NOT_STARTED, Act.LAUNCH_REFUSED, reason))
    before = time.monotonic()
    held = await store.write(lambda tx: _commit_launching(tx, run))
    if held is None:
        return None
    if time.monotonic() - before > LEASE.total_seconds() - 2 * CALL_LIMIT:
        # The process was paused so long that the lease may be over before Datadog answers: leave it to the next worker.
        log.warning("run %s: lease nearly over before the call, nothing sent", run.id)
        return await _persist(store, lambda tx: _postpone(tx, held, "The bot was paused before the call.", 0.0))
    return await _call(held, payload, client, store)


async def _call(run: Run, payload: Mapping[str, Any], client: Datadog, store: Store) -> Run | None:
    try:
        instance_id = await client.execute(run.datadog_id, payload)
    except (DatadogLimited, DatadogUnreachable) as error:
        words, wait = str(error), _wait(error, run.attempts)
        return await _persist(store, lambda tx: _postpone(tx, run, words, wait))
    except DatadogRefused as error:
        words = str(error)
        return await _persist(store, lambda tx: _end(tx, run, State.NOT_STARTED, Act.LAUNCH_REFUSED, words))
    except OutcomeUnknown as error:
        words = str(error)
        return await _persist(store, lambda tx: _end(tx, run, State.UNKNOWN, Act.UNKNOWN, words))
    return await _persist(store, lambda tx: _started(tx, run, instance_id))


async def give_up_on_lost_launch(tx: Writing, run: Run) -> Run | None:
    """A worker died between *launching* and the answer: the run may have started, so it becomes *unknown*."""
    return await _end(tx, run, State.UNKNOWN, Act.UNKNOWN, "The bot was interrupted while Datadog was being called.")


async def _commit_launching(tx: Writing, run: Run) -> Run | None:
    held = await tx.move_run(
        run.id, run.token, {State.READY}, State.LAUNCHING, attempts=run.attempts + 1, due=tx.now + LEASE
    )
    if held is not None:
        tx.record(_entry(held, Act.LAUNCHING, {"attempt": held.attempts}))
    return held


async def _started(tx: Writing, run: Run, instance_id: str) -> Run | None:
    moved = await tx.move_run(
        run.id,
        run.token,
        {State.LAUNCHING, State.UNKNOWN},
        State.RUNNING,
        instance_id=instance_id,
        launched_at=tx.now,
        due=None,
        sealed=None,
        error=None,
    )
    if moved is not None:
        tx.record(_entry(moved, Act.LAUNCHED, {"instance": instance_id}))
        await tx.announce_run(moved, tx.now)
    return moved


async def _end(tx: Writing, run: Run, state: State, act: Act, error: str) -> Run | None:
    moved = await tx.move_run(
        run.id,
        run.token,
        {State.READY, State.LAUNCHING, State.UNKNOWN} - {state},
        state,
        error=error,
        due=None,
        sealed=None,
        ended_at=None if state is State.UNKNOWN else tx.now,
    )
    if moved is not None:
        tx.record(_entry(moved, act, {"error": error}))
        await tx.announce_run(moved, tx.now)
    return moved


async def _postpone(tx: Writing, run: Run, error: str, wait: float) -> Run | None:
    if tx.now + timedelta(seconds=wait) - run.created_at > PATIENCE:
        return await _end(tx, run, State.NOT_STARTED, Act.LAUNCH_REFUSED, f"{error} The bot has stopped trying.")
    due = tx.now + timedelta(seconds=wait)
    moved = await tx.move_run(run.id, run.token, {State.LAUNCHING}, State.READY, error=error, due=due)
    if moved is not None:
        tx.record(_entry(moved, Act.LAUNCH_POSTPONED, {"error": error, "seconds": round(wait, 1)}))
        await tx.announce_run(moved, tx.now)
    return moved


def _wait(error: DatadogLimited | DatadogUnreachable, attempts: int) -> float:
    told = error.retry_after if isinstance(error, DatadogLimited) else None
    return told if told is not None else min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempts - 1))


async def _persist(store: Store, work: Callable[[Writing], Awaitable[T]]) -> T:
    """Commit what Datadog answered, trying as long as the process lives: the answer is nowhere but in its memory."""
    pause = 0.2
    while True:
        try:
            return await store.write(work)
        except NotRecorded as error:
            log.error("an answer of Datadog's could not be recorded, trying again in %.1f s: %s", pause, error)
            await asyncio.sleep(pause)
            pause = min(10.0, pause * 2)


def _entry(run: Run, act: Act, facts: Mapping[str, Any]) -> Entry:
    return Entry(
        act=act,
        team_id=run.team_id,
        user_id=run.user_id,
        user_name=run.user_name,
        run_id=run.id,
        workflow=run.workflow,
        request_id=run.request_id,
        facts={"channel": run.channel_id, **facts},
    )
