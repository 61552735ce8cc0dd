"""Slack and Datadog for the benchmark: quick, and nothing else. They check nothing; the sandbox's own are strict and slower.

One process, over TLS as in life. A start is answered with an instance id that holds the number of the submission (its
input `ticket`); so a message that names the instance is recognised as that submission's. Another port takes orders, a
line each, and answers by lines: `delay SECONDS`, `tally FIRST COUNT`, and `watch`, which tells of every message posted.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

INSTANCE = re.compile(rb"(\d{8})-aaaa-4000-8000-000000000000")
TICKET = re.compile(rb'"ticket":\s*"(\d{8})"')
CHANNEL = re.compile(rb'(?:"channel":\s*"|channel=)(\w+)')
USER = re.compile(rb"user=(\w+)|\"user\":\s*\"(\w+)\"")
AUTH = {"ok": True, "team": "Bench", "team_id": "T0BENCH", "user": "bot", "user_id": "U0BOT", "bot_id": "B0BOT"}


@dataclass(slots=True)
class StandIns:
    """What was started and what was posted, by the number of the submission; `messages` counts all messages."""

    delay: float = 0.0
    started: Counter[int] = field(default_factory=Counter)
    posted: Counter[int] = field(default_factory=Counter)
    messages: int = 0
    watchers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Any request of the bot's, to Slack or to Datadog."""
        body = await request.read()
        path = request.path
        if path.startswith("/api/v2/workflows/"):
            return await self._datadog(request.method, path, body)
        method = path.removeprefix("/api/")
        if method in ("chat.postMessage", "chat.update"):
            return await self._message(method, body)
        if method == "users.info":
            found = USER.search(body) or USER.search(request.query_string.encode())
            user_id = next(filter(None, found.groups()), b"").decode() if found else ""
            user = {"id": user_id, "team_id": "T0BENCH", "name": "someone", "real_name": "Some One"}
            return _json({"ok": True, "user": user})
        return _json(AUTH)

    async def _datadog(self, method: str, path: str, body: bytes) -> web.Response:
        if method != "POST":
            # Every instance goes on for ever, in its first step: what is followed stays open.
            attributes = {
                "instanceStatus": {"detailsKind": "IN_PROGRESS", "displayName": "Running"},
                "stepStateAssociations": [{"stepName": "Restart pods", "stepState": "IN_PROGRESS"}],
            }
            return _json({"data": {"id": path.rsplit("/", 1)[-1], "attributes": attributes}})
        await asyncio.sleep(self.delay)
        found = TICKET.search(body)
        number = int(found[1]) if found else -1
        self.started[number] += 1
        return _json({"data": {"id": f"{number:08d}-aaaa-4000-8000-000000000000", "type": "instances"}})

    async def _message(self, method: str, body: bytes) -> web.Response:
        await asyncio.sleep(self.delay)
        self.messages += 1
        found, place = INSTANCE.search(body), CHANNEL.search(body)
        channel = place[1].decode() if place else "C0NOWHERE"
        if found:
            self.posted[int(found[1])] += 1
        token = str(int(found[1])) if found else channel
        for watcher in self.watchers:
            watcher.write(f"{token}\n".encode())
        posted = {"channel": channel, "ts": f"{self.messages}.000100"}
        return _json({"ok": True, "method": method, "view": {"id": "V0BENCH"}, **posted})

    async def take_orders(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the benchmark's own."""
        try:
            while line := await reader.readline():
                order, *values = line.decode().split()
                if order == "watch":
                    self.watchers.add(writer)
                elif order == "delay":
                    self.delay = float(values[0])
                writer.write(json.dumps(self._tally(values) if order == "tally" else {}).encode() + b"\n")
                await writer.drain()
        finally:
            self.watchers.discard(writer)
            writer.close()

    def _tally(self, values: list[str]) -> dict[str, int]:
        numbers = range(int(values[0]), int(values[0]) + int(values[1]))
        return {
            "started": sum(1 for number in numbers if self.started[number]),
            "twice": sum(1 for number in numbers if self.started[number] > 1),
            "posted": sum(1 for number in numbers if self.posted[number]),
            "messages": self.messages,
        }


def _json(body: object) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), content_type="application/json")


async def _listen(handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], context: ssl.SSLContext) -> int:
    """Answer on a free port, without a router: every path is the handler's."""
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    return int(runner.addresses[0][1])


async def serve(certificate: str) -> None:
    """Serve until killed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    stand_ins = StandIns()
    port = await _listen(stand_ins.answer, context)
    orders = await asyncio.start_server(stand_ins.take_orders, "127.0.0.1", 0)
    print(json.dumps({"port": port, "orders": orders.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])["certificate"]))
