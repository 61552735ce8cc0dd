"""Keeps the loops of a process going: one that falls over is started again, and the log holds why.

A loop needs no net of its own then. What it expects, such as a database that is away, it waits out by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from bot.use_cases.telemetry import COME_ROUND, Telemetry

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 15.0  # seconds before a fallen loop is started again; each time twice as long

log = logging.getLogger(__name__)


async def supervise(
    name: str,
    loop: Callable[[asyncio.Event], Coroutine[Any, Any, None]],
    stop: asyncio.Event,
    telemetry: Telemetry | None = None,
) -> None:
    """Run the loop until it returns, which it does some time after `stop` is set.

    Where it has fallen before that, it is started once more at the stop, for what it has to do last.
    """
    pause, telemetry = SHORTEST_PAUSE, telemetry or Telemetry()
    while True:
        last, begun = stop.is_set(), time.monotonic()
        telemetry.loop(name, "begun")
        COME_ROUND.set(partial(telemetry.loop, name, "turned"))
        error = await _fall(asyncio.create_task(loop(stop), name=name))
        telemetry.loop(name, "ended" if error is None else "fallen")
        if error is None:
            return
        if last:
            log.error("the loop “%s” has fallen over while stopping", name, exc_info=error)
            return
        if time.monotonic() - begun > LONGEST_PAUSE:
            pause = SHORTEST_PAUSE  # it had found its feet
        log.error("the loop “%s” has fallen over, and is started again in %.0f s", name, pause, exc_info=error)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
        pause = min(LONGEST_PAUSE, pause * 2)


async def _fall(task: asyncio.Task[None]) -> BaseException | None:
    """What the loop fell over; None where it returned. Cancelled with whoever waits here."""
    try:
        await asyncio.wait({task})
    finally:
        task.cancel()
    # A cancellation that nobody asked for, from something that the loop waited for, is a fall too.
    return asyncio.CancelledError() if task.cancelled() else task.exception()
