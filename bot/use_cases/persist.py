"""Commits what only this process knows: an answer of Datadog's or Slack's that is nowhere but in its memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from bot.domain.errors import NotRecorded
from bot.use_cases.ports import Store, Writing

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds between attempts

log = logging.getLogger(__name__)


async def persist(store: Store, work: Callable[[Writing], T]) -> T:
    """Commit `work`, trying as long as the process lives."""
    pause = FIRST_PAUSE
    while True:
        try:
            return await store.write(work)
        except NotRecorded as error:
            log.error("an answer could not be recorded, trying again in %.1f s: %s", pause, error.cause)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)
