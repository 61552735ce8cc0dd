"""The bot under fire: `serve` as a process of its own, its log, its memory, and what may stand in neither log nor answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.integration.command_line import bare_environment

# What the log of a bot that stumbled holds.
STUMBLES = (
    "unexpected error",
    "Traceback",
    "never retrieved",
    "could not tell a person",
    "fallen over",
    "Unhandled",
    "Task was destroyed",
)


@dataclass
class Target:
    """One process. `stumbled` is what its log has said since the last look that it may not."""

    url: str
    port: int
    pid: int
    log: Path
    secrets: Collection[str]
    _read: int = field(default=0)

    def stumbled(self) -> list[str]:
        """The new lines of the log, where one tells of an error that nobody expected, or holds a secret."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        self._read += len(text)
        lines = text.decode(errors="replace").splitlines()
        bad = any(any(word in line for word in STUMBLES) or self.leaks(line) for line in lines)
        return lines[-60:] if bad else []

    def leaks(self, text: str) -> bool:
        """Whether a secret stands in it."""
        return any(secret in text for secret in self.secrets)

    def memory(self) -> int:
        """What the process holds just now, in kB."""
        status = Path(f"/proc/{self.pid}/status").read_text("utf-8")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


@contextlib.asynccontextmanager
async def serving(folder: Path, environment: dict[str, str], secrets: Collection[str]) -> AsyncIterator[Target]:
    """Start it, wait until it is ready, and stop it at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / f"serve-{port}.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "serve",
            cwd=folder,
            stderr=file,
            env=bare_environment(folder, environment | {"PORT": str(port)}),
        )
    target = Target(f"http://127.0.0.1:{port}", port, process.pid, log, secrets)
    try:
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            while not await _is_ready(session, target):  # another process has no event to wait for
                assert process.returncode is None, log.read_text("utf-8")
                await asyncio.sleep(0.1)
        yield target
    except BaseException:
        print(*log.read_text("utf-8").splitlines()[-40:], sep="\n", file=sys.stderr)  # noqa: T201  # for whoever looks at the failure
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 40)
        if process.returncode is None:
            process.kill()


async def _is_ready(session: aiohttp.ClientSession, target: Target) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with session.get(f"{target.url}/readyz") as answer:
            return answer.status == 200
    return False
