"""Look up from time to time what only the database knows and an operator wants to see: never while somebody waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from bot.domain.errors import NotRecorded
from bot.use_cases import pace
from bot.use_cases.ports import Sample, Store


@dataclass(frozen=True, slots=True)
class Round:
    """One look at every workspace's database, at a time of this machine's clock (seconds since 1970).

    `samples` has those that answered, and `failed` names those that didn't.
    """

    at: float
    samples: Mapping[str, Sample] = field(default_factory=dict)
    failed: Collection[str] = ()


async def take_samples(
    stores: Callable[[], Mapping[str, Store]],
    wanted: Callable[[], bool],
    put: Callable[[Round], None],
    stopping: asyncio.Event,
) -> None:
    """Look while it is `wanted`, until `stopping` is set. A database that is away is told as such, and asked again."""
    while not stopping.is_set():
        if wanted():
            put(await _look(stores()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pace.SAMPLES)


async def _look(stores: Mapping[str, Store]) -> Round:
    samples: dict[str, Sample] = {}
    for name, store in stores.items():
        with contextlib.suppress(NotRecorded):  # the store has logged why
            samples[name] = await store.read(lambda tx: tx.sample())
    return Round(time.time(), samples, stores.keys() - samples.keys())
