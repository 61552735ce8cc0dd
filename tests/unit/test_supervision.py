from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from bot import supervision
from bot.supervision import supervise


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "SHORTEST_PAUSE", 0.001)
    monkeypatch.setattr(supervision, "LONGEST_PAUSE", 0.004)


class Loop:
    """Falls over so many times; then it goes on until it is told to stop."""

    def __init__(self, falls: float, error: Callable[[], BaseException] = lambda: RuntimeError("a surprise")) -> None:
        self.falls = falls
        self.error = error
        self.starts = 0
        self.ended = False
        self.started = asyncio.Event()
        self.going = asyncio.Event()

    async def __call__(self, stop: asyncio.Event) -> None:
        self.starts += 1
        self.started.set()
        await asyncio.sleep(0)
        if self.starts <= self.falls:
            raise self.error()
        self.going.set()
        try:
            await stop.wait()
        finally:
            self.ended = True


def pauses(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record.args[1] for record in caplog.records if isinstance(record.args, tuple)]


async def test_a_loop_that_falls_is_started_again_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    stop, loop = asyncio.Event(), Loop(falls=2)
    supervised = asyncio.create_task(supervise("announcer", loop, stop))
    await loop.going.wait()
    assert loop.starts == 3
    assert not supervised.done()
    stop.set()
    await supervised
    assert loop.starts == 3
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert "“announcer” has fallen over" in caplog.text
    assert "RuntimeError: a surprise" in caplog.text
    assert "in __call__" in caplog.text  # whole, with where it happened


async def test_a_stop_ends_it() -> None:
    stop, loop = asyncio.Event(), Loop(falls=0)
    supervised = asyncio.create_task(supervise("announcer", loop, stop))
    await loop.going.wait()
    stop.set()
    await supervised
    assert (loop.starts, loop.ended) == (1, True)


async def test_a_loop_that_falls_at_once_over_and_over_waits_longer_each_time(caplog: pytest.LogCaptureFixture) -> None:
    stop, loop = asyncio.Event(), Loop(falls=5)
    supervised = asyncio.create_task(supervise("announcer", loop, stop))
    await loop.going.wait()
    stop.set()
    await supervised
    assert pauses(caplog) == [0.001, 0.002, 0.004, 0.004, 0.004]


async def test_a_loop_that_had_found_its_feet_is_started_again_soon(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    monkeypatch.setattr(supervision, "time", SimpleNamespace(monotonic=lambda: now))  # not the event loop's

    class LateFall(Loop):
        async def __call__(self, stop: asyncio.Event) -> None:
            nonlocal now
            now += 60.0 if self.starts == 3 else 0.0
            await super().__call__(stop)

    stop, loop = asyncio.Event(), LateFall(falls=5)
    supervised = asyncio.create_task(supervise("announcer", loop, stop))
    await loop.going.wait()
    stop.set()
    await supervised
    assert pauses(caplog) == [0.001, 0.002, 0.004, 0.001, 0.002]


async def test_a_stop_during_the_pause_is_obeyed_at_once_and_what_comes_last_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervision, "SHORTEST_PAUSE", 3600.0)
    stop, loop = asyncio.Event(), Loop(falls=1)
    supervised = asyncio.create_task(supervise("announcer", loop, stop))
    await loop.started.wait()
    stop.set()
    await supervised
    assert (loop.starts, loop.ended) == (2, True)


async def test_a_loop_that_falls_while_stopping_is_left(caplog: pytest.LogCaptureFixture) -> None:
    stop, loop = asyncio.Event(), Loop(falls=float("inf"))
    stop.set()
    await supervise("announcer", loop, stop)
    assert loop.starts == 1
    assert "“announcer” has fallen over while stopping" in caplog.text


async def test_a_cancellation_from_within_is_a_fall_and_one_from_outside_ends_it() -> None:
    stop, loop = asyncio.Event(), Loop(falls=1, error=asyncio.CancelledError)
    supervised = asyncio.create_task(supervise("announcer", loop, stop))
    await loop.going.wait()
    assert loop.starts == 2
    supervised.cancel()
    with pytest.raises(asyncio.CancelledError):
        await supervised
    await asyncio.sleep(0)
    assert loop.ended
