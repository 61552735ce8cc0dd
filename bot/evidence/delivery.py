"""Takes a signed head out of the bot's hands: to a file on other storage, or to a webhook."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import aiohttp

from bot.domain.errors import NotWitnessed

TIMEOUT = aiohttp.ClientTimeout(total=10)


class AppendedFile:
    """A file that lines are added to; each is on the disk when it counts as told."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __call__(self, seq: int, line: str) -> None:
        """Raises NotWitnessed."""
        try:
            await asyncio.to_thread(self._append, f"{line}\n".encode())
        except OSError as error:
            raise NotWitnessed(f"{self._path} can't be written: {error.strerror}.") from None

    def _append(self, line: bytes) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
            os.fsync(file)
        finally:
            os.close(file)


class Webhook:
    """An address that lines are posted to, as JSON. It may hold a secret, so it is in no error."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def __call__(self, seq: int, line: str) -> None:
        """Raises NotWitnessed."""
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(
                self._url, data=line, headers=headers, timeout=TIMEOUT, allow_redirects=False
            ) as answer:
                if not 200 <= answer.status < 300:
                    raise NotWitnessed(f"The webhook answered with status {answer.status}.")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotWitnessed(f"The webhook could not be reached ({type(error).__name__}).") from None
