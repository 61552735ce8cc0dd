"""Socket Mode: the bot connects here and requests go to it over the socket instead of HTTP.

Source: Slack docs: apis/events-api/using-socket-mode.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from bot.sandbox.slack.records import Json
from bot.sandbox.slack.workspace import Workspace

CONNECTIONS_MOST = 10


@dataclass
class _Connection:
    socket: web.WebSocketResponse
    waiting: dict[str, asyncio.Future[Json]] = field(default_factory=dict)


class SocketMode:
    """The open connections, taken in turn; each request goes to one of them.

    What can be made to go wrong: `says_hello`, `hangs_up` right after the hello, and `silent`: connections stay open, and
    neither a ping is answered nor anything sent.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._tickets: set[str] = set()
        self._connections: list[_Connection] = []
        self._turn = itertools.count()
        self.says_hello = True
        self.hangs_up = False
        self.silent = False
        self.opened = 0

    @property
    def is_open(self) -> bool:
        return bool(self._connections)

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    def new_url(self) -> str:
        """A WebSocket address that is good for one connection."""
        ticket = secrets.token_hex(8)
        self._tickets.add(ticket)
        base = self._workspace.base_url.replace("http", "ws", 1)
        return f"{base}/link/?ticket={ticket}&app_id={self._workspace.app_id}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, from hello until either side closes it."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=404, text="ticket unknown or used")
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(heartbeat=None, autoping=False)
        await socket.prepare(request)
        self.opened += 1
        if len(self._connections) >= CONNECTIONS_MOST:
            self._workspace.violate("too_many_websockets: more than 10 Socket Mode connections")
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        connection = _Connection(socket)
        self._connections.append(connection)
        try:
            if self.says_hello:
                await socket.send_json(self._hello())
            self._workspace.changed()
            if self.hangs_up:
                await socket.close()
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._take_answer(connection, message.data)
                elif message.type is WSMsgType.PING and not self.silent:
                    await socket.pong(message.data)
        finally:
            self._forget(connection)
        return socket

    async def send(self, kind: str, payload: Json, retry: tuple[int, str] | None) -> Json:
        """Send one request and wait for its acknowledgement; the caller sets the time limit.

        Raises:
            ConnectionError: no connection is open, or it closed before the answer.
        """
        if not self._connections:
            raise ConnectionError("no Socket Mode connection is open")
        connection = self._connections[next(self._turn) % len(self._connections)]
        envelope_id = secrets.token_hex(12)
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        connection.waiting[envelope_id] = answer
        envelope: Json = {"envelope_id": envelope_id, "type": kind, "payload": payload}
        envelope["accepts_response_payload"] = kind != "events_api"
        if kind == "events_api":
            envelope |= {"retry_attempt": retry[0] if retry else 0, "retry_reason": retry[1] if retry else ""}
        try:
            if not self.silent:
                await connection.socket.send_json(envelope)
            return await answer
        finally:
            connection.waiting.pop(envelope_id, None)

    async def say(self, text: str) -> None:
        """Send whatever this is over the newest connection."""
        await self._connections[-1].socket.send_str(text)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every connection to reconnect, or (`link_disabled`) to stay away; nothing new is sent over the old ones.

        As with Slack the client closes the old connection; until then it may still answer what it was sent.
        """
        leaving, self._connections = self._connections, []
        for connection in leaving:
            await connection.socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "local"}})
        self._workspace.changed()

    async def close(self) -> None:
        """Close every connection, as when Slack goes away."""
        for connection in list(self._connections):
            await connection.socket.close()

    def _forget(self, connection: _Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        for answer in connection.waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the Socket Mode connection closed before the answer"))
        self._workspace.changed()

    def _take_answer(self, connection: _Connection, text: str) -> None:
        try:
            answer = json.loads(text)
        except ValueError:
            self._workspace.violate("a Socket Mode answer that is no JSON")
            return
        waiting = connection.waiting.get(str(answer.get("envelope_id")))
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._connections),
            "connection_info": {"app_id": self._workspace.app_id},
            "debug_info": {"host": "local", "approximate_connection_time": 3600},
        }
