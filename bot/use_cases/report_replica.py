"""A bot that serves says so in the database, every now and then until it stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from bot.domain.errors import NotRecorded
from bot.domain.replicas import Replica
from bot.use_cases import pace
from bot.use_cases.ports import Store, Writing

log = logging.getLogger(__name__)


async def report(describe: Callable[[datetime], Replica], store: Store, stopping: asyncio.Event) -> None:
    """Keep this process's row up to date, and take it away at the end. `describe` says what it is at the database's time.

    While the database is away nothing is said, and nobody misses it: who can't write does not serve either.
    """
    last = None
    while not stopping.is_set():
        last = await _say(store, lambda tx: tx.report_replica(describe(tx.now))) or last
        try:
            await asyncio.wait_for(stopping.wait(), pace.WORD)
        except TimeoutError:
            pass
    if last is not None:
        gone = last
        await _say(store, lambda tx: tx.forget_replica(gone))


async def _say(store: Store, work: Callable[[Writing], str | None]) -> str | None:
    try:
        return await store.write(work)
    except NotRecorded:
        log.debug("the database did not take this replica's word")
        return None
