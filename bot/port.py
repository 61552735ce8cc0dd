"""The port that HTTP comes in by, and what a connection may cost before it has said anything.

aiohttp closes a connection that is idle; here one has to send its first request soon, there are only so many, and what
isn't HTTP is answered in one line, without aiohttp's name, and is no error of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import web

from bot.domain.errors import InvalidSettings

# Times in seconds.
FIRST_REQUEST = 5.0  # from connecting to the last header of the first request
IDLE = 620.0  # between requests; longer than proxies keep theirs (Google's 600, most 60), so that they close first
LINGER = 2.0  # that what was sent beyond an answer is still read, so that the answer arrives
CONNECTIONS = 1000  # at once; what comes beyond is closed
HEADERS, HEADER_BYTES = 64, 8190  # Slack sends some fifteen headers

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)


class Port:
    """Where the bot listens. `number` is the port's; `shut` lets nobody else in."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.number = int(server.sockets[0].getsockname()[1])

    def shut(self) -> None:
        self._server.close()


@contextlib.asynccontextmanager
async def open_port(application: web.Application, host: str, port: int, setting: str = "PORT") -> AsyncIterator[Port]:
    """Serve the application until left; requests under way are finished then.

    Raises InvalidSettings where nobody can listen there; `setting` is the one that the port comes from.
    """
    runner = web.AppRunner(application)
    await runner.setup()
    server = runner.server
    assert server is not None  # noqa: S101  # there is one after setup
    server.request_handler = partial(_handle, server.request_handler)
    try:
        opened = await _listen(server, host, port, setting)
        try:
            yield opened
        finally:
            opened.shut()
    finally:
        await runner.cleanup()


async def _listen(server: web.Server, host: str, port: int, setting: str) -> Port:
    try:
        return Port(await asyncio.get_running_loop().create_server(lambda: _Connection(server), host, port))
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                words = f"is taken on {host}: stop what listens there, or choose another."
            case errno.EACCES:
                words = "is for the administrator only: choose one from 1024 on."
            case _:
                words = f"can't be opened on {host} ({error.strerror}). Check {setting.replace('PORT', 'HOST')}."
        raise InvalidSettings(f"{setting} {port} {words}") from error


async def _handle(application: Handler, request: web.BaseRequest) -> web.StreamResponse:
    """What comes before any route. aiohttp stumbles over an Expect that is no text; nobody has use for one but the known."""
    if isinstance(request.protocol, _Connection):
        request.protocol.spoke()
    if request.headers.get("Expect", "100-continue").lower() != "100-continue":
        return _last_words(HTTPStatus.EXPECTATION_FAILED)
    return await application(request)


class _Connection(web.RequestHandler):
    def __init__(self, server: web.Server) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # none is what is wanted; aiohttp checks for it
            keepalive_timeout=IDLE,
            lingering_time=LINGER,
            max_headers=HEADERS,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            auto_decompress=False,  # Slack compresses nothing; a signature is over what was sent
        )
        self._server = server
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if len(self._server.connections) > CONNECTIONS:
            self.force_close()
        else:
            self._patience = asyncio.get_running_loop().call_later(FIRST_REQUEST, self.force_close)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.spoke()
        super().connection_lost(exc)

    def spoke(self) -> None:
        """A request came: from now on it may be idle."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What isn't HTTP, or fell through everything else."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("unexpected error at the HTTP door", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        return _last_words(status)


def _last_words(status: int) -> web.Response:
    answer = short(status)
    answer.headers["Server"] = ""  # aiohttp puts its name where there is none
    answer.force_close()
    return answer


def short(status: int, **headers: str) -> web.Response:
    """An answer that says what kind of mistake it was and nothing else."""
    words = {401: "invalid request"}.get(status, HTTPStatus(status).phrase.lower())
    return web.json_response({"error": words}, status=status, headers=headers)


@web.middleware
async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:
    """Every refusal is short, and ends the connection: whoever is refused waits no longer than they have to be served."""
    try:
        answer: web.StreamResponse = await handler(request)
    except web.HTTPRedirection:
        raise
    except web.HTTPException as error:
        allowed = error.headers.get("Allow")
        answer = short(error.status, **({"Allow": allowed} if allowed else {}))
    if answer.status >= HTTPStatus.BAD_REQUEST:
        answer.force_close()
    return answer


async def plain(_: web.Request, answer: web.StreamResponse) -> None:
    """Headers of every answer: nothing about us, and nothing for a browser to make something of."""
    answer.headers.pop("Server", None)
    for name, value in {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }.items():
        answer.headers.setdefault(name, value)
