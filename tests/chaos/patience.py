"""Waiting for something outside this process, of which no event tells."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T | None]], every: float = 0.02) -> T:
    """What `look` finds, once it finds something true. Waits for ever: the caller knows how long is too long."""
    while not (found := await look()):  # noqa: ASYNC110 - other processes set no event of ours
        await asyncio.sleep(every)
    return found


async def until_so(look: Callable[[], bool], every: float = 0.02) -> None:
    """The same for what can be seen at once."""

    async def seen() -> bool:
        return look()

    await until(seen, every)
