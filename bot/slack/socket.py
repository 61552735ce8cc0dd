"""Socket Mode: the WebSocket that Slack's requests come over. Held open, watched, and opened anew.

Slack docs: apis/events-api/using-socket-mode. Why it is not the Slack SDK's client: docs/decisions/0010.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import time
from typing import Any

import aiohttp
from aiohttp import WSMsgType
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import InvalidSettings
from bot.slack.directory import REFUSED_TOKEN, UNREACHABLE
from bot.slack.heard import Heard
from bot.slack.socket_message import LIFE, Disconnect, Envelope, Hello, read_message

# Times in seconds.
OPEN_LIMIT = 10.0  # from asking Slack for an address to its hello
PING = 10.0  # without a word from Slack it is asked for one; silent for half of that again, the socket is given up
MARGIN = 600.0  # by how much a socket may outlive what Slack said of it, before it is taken for deaf and renewed
OVERLAP = 8.0  # that a socket which Slack takes back is listened to beside its successor; Slack warns some 10 s ahead
ANSWERING = 2.5  # that requests under way have before their socket is closed
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # before the next attempt; each time twice as long
STEADY = 30.0  # a socket that lived so long was a good one
CLOSING = aiohttp.ClientWSTimeout(ws_close=1.0)

NOT_YET = "no socket is open yet"
OVER = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)

log = logging.getLogger(__name__)


class _Lost(Exception):
    """There is no socket, or it is of no use any more; the text says why.

    `taken_back`: by Slack, which wants a new one opened. `wait`: seconds before that makes sense.
    """

    def __init__(self, why: str, *, taken_back: bool = False, wait: float = 0.0) -> None:
        super().__init__(why)
        self.taken_back = taken_back
        self.wait = wait


class Socket:
    """One socket at a time, and a second one while Slack takes the first back."""

    def __init__(
        self, app: AsyncApp, client: AsyncWebClient, session: aiohttp.ClientSession, token: str, heard: Heard
    ) -> None:
        self._app = app
        self._client = client
        self._session = session
        self._token = token
        self._heard = heard
        self._address = ""  # for the next socket; each is good for one
        self._current: aiohttp.ClientWebSocketResponse | None = None
        self._answers: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self.trouble: str | None = NOT_YET  # why no request comes, in words that give nothing away; None: they come

    async def prove(self) -> None:
        """Ask Slack for the first address. Raises InvalidSettings where it refuses the token for good."""
        try:
            # Slack gives out few of these a minute, so it is kept and used.
            self._address = await self._new_address()
        except SlackApiError as error:
            if error.response.get("error") in REFUSED_TOKEN:
                raise InvalidSettings(
                    "Slack refuses SLACK_APP_TOKEN. Make one at Basic Information, App-Level Tokens, with connections:write."
                ) from None
        except UNREACHABLE:
            log.warning("Slack does not answer; the socket is opened as soon as it does")

    async def listen(self, stop: asyncio.Event) -> None:
        """Hold a socket open until `stop` is set; then answer what came by then, and close it, so that Slack sees it go."""
        stopping = asyncio.create_task(stop.wait())
        pause = SHORTEST_PAUSE
        try:
            while not stop.is_set():
                began = time.monotonic()
                lost = await self._hold_one(stopping)
                if stop.is_set():
                    break
                self.trouble = str(lost)
                steady = time.monotonic() - began > STEADY
                pause = SHORTEST_PAUSE if steady else pause
                wait = max(lost.wait, pause * random.uniform(0.5, 1))  # noqa: S311  # spreads replicas, hides nothing
                wait = 0.0 if steady and lost.taken_back else wait
                log.log(logging.INFO if lost.taken_back else logging.WARNING, "%s; again in %.1f s", lost, wait)
                pause = min(LONGEST_PAUSE, pause * 2)
                await asyncio.wait({stopping}, timeout=wait)
        finally:
            stopping.cancel()
            self.trouble = NOT_YET
            await asyncio.gather(*self._leaving)

    async def _hold_one(self, stopping: asyncio.Task[Any]) -> _Lost:
        """Open one socket and listen to it. Returns why that is over."""
        opening = asyncio.create_task(asyncio.wait_for(self._open(), OPEN_LIMIT))
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
            await asyncio.wait({opening})
            return _Lost("it is stopping")
        try:
            socket, hello = opening.result()
        except _Lost as never_opened:
            return never_opened
        except SlackApiError as error:
            return _refused(error)
        except UNREACHABLE as error:
            return _Lost(f"Slack can't be reached by socket ({type(error).__name__})")
        self._heard.hello(hello)
        self.trouble, self._current = None, socket
        reading = asyncio.create_task(self._read(socket))
        await asyncio.wait({reading, stopping}, timeout=hello.life + MARGIN, return_when=asyncio.FIRST_COMPLETED)
        lost = (
            reading.result() if reading.done() else _Lost("a socket is older than Slack lets one be", taken_back=True)
        )
        reading.cancel()
        leaving = asyncio.create_task(self._leave(socket, stopping, OVERLAP if lost.taken_back else 0.0))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        return lost

    async def _open(self) -> tuple[aiohttp.ClientWebSocketResponse, Hello]:
        """A socket on which Slack has spoken first. Raises _Lost, and what Slack's clients raise."""
        address, self._address = self._address or await self._new_address(), ""
        async with contextlib.AsyncExitStack() as unless_hello:
            socket = await self._session.ws_connect(
                address,
                heartbeat=PING,
                timeout=CLOSING,
                proxy=self._client.proxy,
                ssl=self._client.ssl if self._client.ssl is not None else True,
            )
            unless_hello.push_async_callback(socket.close)
            match await self._next(socket):
                case Hello() as hello:
                    unless_hello.pop_all()
                    return socket, hello
                case Envelope() as envelope:  # whoever sends requests is there, hello or not
                    unless_hello.pop_all()
                    self._take(socket, envelope)
                    return socket, Hello(None, "", LIFE)
                case Disconnect(reason):
                    raise _taken_back(reason)

    async def _new_address(self) -> str:
        return str((await self._client.apps_connections_open(app_token=self._token))["url"])

    async def _next(self, socket: aiohttp.ClientWebSocketResponse) -> Hello | Disconnect | Envelope:
        """The next message. Raises _Lost where there is none any more."""
        while True:
            message = await socket.receive()
            if message.type in OVER:
                silent = isinstance(socket.exception(), aiohttp.ServerTimeoutError)
                raise _Lost("the socket has fallen silent" if silent else "the socket was closed")
            read = read_message(message.data) if message.type is WSMsgType.TEXT else None
            if read is not None:
                return read
            log.warning("a message on the socket is none of Slack's, and is left aside")

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> _Lost:
        """Take requests, until Slack wants the socket back or it is gone."""
        while True:
            try:
                message = await self._next(socket)
            except _Lost as lost:
                return lost
            if isinstance(message, Disconnect):
                return _taken_back(message.reason)
            if isinstance(message, Envelope):
                self._take(socket, message)

    def _take(self, socket: aiohttp.ClientWebSocketResponse, envelope: Envelope) -> None:
        answer = asyncio.create_task(self._answer(socket, envelope))
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

    async def _answer(self, socket: aiohttp.ClientWebSocketResponse, envelope: Envelope) -> None:
        request = AsyncBoltRequest(mode="socket_mode", body=envelope.payload, headers=dict(envelope.headers))
        answer = await self._app.async_dispatch(request)
        if answer.status != 200:  # Slack then tells the person that it took too long
            log.warning("a request over the socket was answered with %s, which Slack is not told", answer.status)
            return
        text = json.dumps({"envelope_id": envelope.id} | _payload(answer))
        for one in (socket, self._current):  # where its own is gone, its successor carries the answer
            with contextlib.suppress(ConnectionError):
                if one is not None:
                    await one.send_str(text)
                    return
        log.warning("a request over the socket could not be answered: the socket is gone")

    async def _leave(
        self, socket: aiohttp.ClientWebSocketResponse, stopping: asyncio.Task[Any], overlap: float
    ) -> None:
        """Close the socket, when no more is to come over it and what came is answered."""
        reading = asyncio.create_task(self._read_to_the_end(socket))
        await asyncio.wait({reading, stopping}, timeout=overlap, return_when=asyncio.FIRST_COMPLETED)
        reading.cancel()
        if self._answers and not socket.closed:
            await asyncio.wait(set(self._answers), timeout=ANSWERING)
        await socket.close()

    async def _read_to_the_end(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while not socket.closed:
            await self._read(socket)


def _taken_back(reason: str) -> _Lost:
    match reason:
        case "link_disabled":
            return _Lost("Socket Mode is switched off in the app's settings", wait=LONGEST_PAUSE)
        case "too_many_websockets":
            return _Lost("the app has as many sockets as Slack allows", wait=LONGEST_PAUSE / 2)
        case _:
            return _Lost(f"Slack asks for a new socket ({reason})", taken_back=True)


def _refused(error: SlackApiError) -> _Lost:
    reason = str(error.response.get("error"))
    if reason == "ratelimited":
        told = str(error.response.headers.get("Retry-After", ""))
        return _Lost(
            "Slack has given out enough sockets for now", wait=min(300.0, float(told) if told.isdecimal() else 30.0)
        )
    if reason in REFUSED_TOKEN:
        return _Lost(f"Slack refuses SLACK_APP_TOKEN ({reason})", wait=LONGEST_PAUSE)
    return _Lost(f"Slack gives out no socket ({reason})")


def _payload(answer: BoltResponse) -> dict[str, Any]:
    """The answer as a socket carries it."""
    if not answer.body:
        return {}
    is_json = str(answer.headers.get("content-type", [""])[0]).startswith("application/json")
    return {"payload": json.loads(answer.body) if is_json else {"text": answer.body}}
