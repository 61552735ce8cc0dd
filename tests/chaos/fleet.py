"""Replicas of the bot as real processes, and the load balancer before them: start, kill -9, stop, continue, end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.chaos.patience import until, until_so

ROOT = Path(__file__).parents[2]
UP_WITHIN = 60.0  # seconds for a bot to listen, on a busy machine


class Nursery:
    """Asks the victim process (see victim.py) for bots."""

    def __init__(self, *, points: bool = False) -> None:
        self._points = points
        self._asking = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.chaos.victim", *(["points"] if self._points else [])),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**kept, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()

    async def bot(self, wanted: Mapping[str, Any]) -> int:
        """The process id of a new bot."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._asking:
            self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
            await self._process.stdin.drain()
            return int(await self._process.stdout.readline())


@dataclass
class Replica:
    """A place for one bot, with a port of its own. `wanted` is what the next start passes on to the victim."""

    nursery: Nursery
    environment: Mapping[str, str]
    log: Path
    wanted: dict[str, Any] = field(default_factory=dict)
    port: int = 0
    pid: int | None = None
    stopped_since: float | None = None

    def __post_init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def alive(self) -> bool:
        if self.pid is None:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    @property
    def takes_requests(self) -> bool:
        """A balancer notices after a second that a replica answers nothing."""
        return self.alive and (self.stopped_since is None or time.monotonic() - self.stopped_since < 1)

    async def start(self) -> None:
        """Start, and wait until it listens or has died."""
        environment = {**self.environment, "PORT": str(self.port)}
        self.pid = await self.nursery.bot({"environment": environment, "log": str(self.log), **self.wanted})
        self.stopped_since = None
        async with asyncio.timeout(UP_WITHIN):
            await until(self._is_up_or_dead)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def terminate(self) -> None:
        await self._end(signal.SIGTERM)

    def stop(self) -> None:
        """SIGSTOP: it neither runs nor knows that it doesn't."""
        self._signal(signal.SIGSTOP)
        self.stopped_since = time.monotonic()

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)
        self.stopped_since = None

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        await until_so(lambda: not self.alive)
        self.pid = None

    async def _is_up_or_dead(self) -> bool:
        return not self.alive or await self._listens()

    async def _listens(self) -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            return True
        return False


@contextlib.asynccontextmanager
async def balancer(replicas: list[Replica], choice: random.Random) -> AsyncIterator[str]:
    """The URL of a load balancer that passes each connection on to any replica that takes it."""
    open_now: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            await _pass_on(reader, writer, replicas, choice)
        except (OSError, asyncio.CancelledError):
            pass  # one side is gone; so is the connection
        finally:
            open_now.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, replicas: list[Replica], choice: random.Random
) -> None:
    for replica in choice.sample(replicas, len(replicas)):
        if not replica.takes_requests:
            continue
        try:
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", replica.port)
        except OSError:
            continue
        forth = asyncio.create_task(_copy(reader, their_writer))
        try:
            await _copy(their_reader, writer)
        finally:
            forth.cancel()
            await asyncio.gather(forth, return_exceptions=True)
            their_writer.close()
        return


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
