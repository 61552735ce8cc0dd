"""The browser page's door: its files, a stream of snapshots, and one POST per deed.

Accepts only JSON from a page of this server on a loopback host, so that no other web page can act through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from bot.sandbox.slack.client import Client, find_control
from bot.sandbox.slack.faults import Faults
from bot.sandbox.slack.input_state import ClientRefused, set_value
from bot.sandbox.slack.page_snapshot import snapshot
from bot.sandbox.slack.records import Json, Surface, View
from bot.sandbox.slack.workspace import Workspace

PAGE_FOLDER = Path(__file__).resolve().parent.parent / "page"
COALESCE_SECONDS = 0.03
HEARTBEAT_SECONDS = 15.0
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class SwitchableFaults(Protocol):
    """Faults the page can show and set: the local Slack's own and the local Datadog's."""

    def to_json(self) -> Json: ...

    def from_json(self, wanted: Json) -> None: ...


class PageApi:
    """Serves `/`, `/page/*` and `/ui/*`."""

    def __init__(self, workspace: Workspace, client: Client, faults: Faults) -> None:
        self._ws = workspace
        self._client = client
        self._faults = faults
        self.datadog_faults: SwitchableFaults | None = None
        self.links: list[Json] = []
        self.shortcuts: list[Json] = []

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/", self._index)
        app.router.add_get("/page/{name:.+}", self._file)
        app.router.add_get("/ui/stream", self._stream)
        deeds: dict[str, Callable[[Json], Awaitable[Json]]] = {
            "command": self._command,
            "say": self._say,
            "action": self._action,
            "options": self._options,
            "submit": self._submit,
            "close": self._close,
            "shortcut": self._shortcut,
            "home": self._home,
            "faults": self._set_faults,
        }
        for name, deed in deeds.items():
            app.router.add_post(f"/ui/{name}", _guarded(deed))

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return _page_file("index.html")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return _page_file(request.match_info["name"])

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        _insist_same_origin(request)
        viewer = request.query.get("as") or self._first_person()
        if viewer not in self._ws.members:
            raise web.HTTPNotFound(text="no such person")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        # A tab that closes is no error: whichever write finds that out ends the stream.
        with self._ws.watch() as watcher, contextlib.suppress(ConnectionError):
            await response.prepare(request)
            while True:
                watcher.clear()
                await response.write(f"data: {json.dumps(self._snapshot(viewer))}\n\n".encode())
                await self._next_change(response, watcher)
        return response

    async def _next_change(self, response: web.StreamResponse, watcher: asyncio.Event) -> None:
        while not watcher.is_set():
            try:
                await asyncio.wait_for(watcher.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                await response.write(b": still here\n\n")
        await asyncio.sleep(COALESCE_SECONDS)

    def _first_person(self) -> str:
        return next((member.id for member in self._ws.members.values() if not member.is_bot), "")

    def _snapshot(self, viewer: str) -> Json:
        datadog = self.datadog_faults.to_json() if self.datadog_faults else {}
        faults = {"slack": self._faults.to_json(), "datadog": datadog}
        return snapshot(self._ws, viewer, faults, self.links, self.shortcuts)

    async def _command(self, body: Json) -> Json:
        ack = await self._client.command(body["as"], body["channel"], body.get("text", ""))
        return {"ok": ack.ok}

    async def _say(self, body: Json) -> Json:
        message = await self._client.say(body["as"], body["channel"], body["text"], body.get("thread_ts"))
        return {"ok": True, "ts": message.ts}

    async def _action(self, body: Json) -> Json:
        surface = self._surface(body)
        ack = await self._client.act(body["as"], surface, body["block_id"], body["action_id"], body.get("value"))
        return {"ok": ack is None or ack.ok}

    async def _options(self, body: Json) -> Json:
        query = body.get("query", "")
        return await self._client.options(body["as"], self._surface(body), body["block_id"], body["action_id"], query)

    async def _submit(self, body: Json) -> Json:
        view = self._view(body)
        for block_id, actions in body.get("values", {}).items():
            for action_id, raw in actions.items():
                block, element = find_control(view, block_id, action_id)
                set_value(view, block, element, raw)
        result = await self._client.submit(body["as"], view)
        return {"errors": result.errors} if result.errors else {"ok": result.happened != "failed"}

    async def _close(self, body: Json) -> Json:
        await self._client.close(body["as"], self._view(body), all_of_them=bool(body.get("all")))
        return {"ok": True}

    async def _shortcut(self, body: Json) -> Json:
        message = None
        if body.get("message"):
            message = self._ws.message(body["message"]["channel"], body["message"]["ts"])
            if message is None:
                raise ClientRefused("that message is gone")
        ack = await self._client.shortcut(body["as"], body["callback_id"], message)
        return {"ok": ack.ok}

    async def _home(self, body: Json) -> Json:
        return {"ok": (await self._client.open_home(body["as"])).ok}

    async def _set_faults(self, body: Json) -> Json:
        if "slack" in body:
            self._faults.from_json(body["slack"])
        if "datadog" in body and self.datadog_faults is not None:
            self.datadog_faults.from_json(body["datadog"])
        self._ws.changed()
        return {"ok": True}

    def _surface(self, body: Json) -> Surface:
        message = body.get("message") or {}
        surface = self._ws.surface_of(body["as"], body.get("view_id"), message.get("channel"), message.get("ts"))
        if surface is None:
            raise ClientRefused("that view or message is gone")
        return surface

    def _view(self, body: Json) -> View:
        surface = self._ws.surface_of(body["as"], str(body["view_id"]), None, None)
        if not isinstance(surface, View):
            raise ClientRefused("that view is gone")
        return surface


def _guarded(deed: Callable[[Json], Awaitable[Json]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Let a deed through only for a JSON request of this server's own page; say what was wrong otherwise."""

    async def handle(request: web.Request) -> web.Response:
        _insist_same_origin(request)
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="send application/json")
        try:
            body: Any = await request.json()
            return web.json_response(await deed(body))
        except ClientRefused as refusal:
            return web.json_response({"error": str(refusal)}, status=409)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return web.json_response({"error": f"bad request: {error!r}"}, status=400)

    return handle


def _insist_same_origin(request: web.Request) -> None:
    origin = request.headers.get("Origin")
    if not _is_loopback(request.host) or (origin and urlsplit(origin).netloc != request.host):
        raise web.HTTPForbidden(text="only the page of this server may do this")


def _is_loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _page_file(name: str) -> web.StreamResponse:
    path = (PAGE_FOLDER / name).resolve()
    if not path.is_relative_to(PAGE_FOLDER) or not path.is_file():
        raise web.HTTPNotFound(text="no such page")
    return web.FileResponse(path, headers=PAGE_HEADERS)
