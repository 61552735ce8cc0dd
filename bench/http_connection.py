"""One kept-alive HTTP connection, without a library: so that the load costs less than what it measures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Status 0 is a connection that was closed instead."""

    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """Sends one request at a time and understands just enough of the answer to know where it ends."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._waiting: asyncio.Future[Answer] | None = None

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def send(self, request: bytes) -> Answer:
        """Send, and wait for the whole answer."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._received = b""
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        headers = head.lower()
        start = headers.find(b"\r\ncontent-length:")
        if start >= 0:
            end = headers.find(b"\r\n", start + 2)
            whole = len(body) >= int(headers[start + 17 : end if end > 0 else None])
        else:
            whole = body.endswith(b"0\r\n\r\n")  # chunked, as gunicorn answers
        if whole:
            if b"\r\nconnection: close" in headers:
                self.close()
            self._settle(Answer(int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle(Answer(0, b""))

    def _settle(self, answer: Answer) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)


async def connect(port: int) -> Connection:
    """A new connection to a server on this machine."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection
