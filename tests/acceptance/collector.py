"""A stand-in for a collector of traces: takes OTLP/HTTP as JSON, and keeps what it was sent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Seen:
    """A span as it arrived."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str]
    events: list[tuple[str, dict[str, str]]]


@dataclass
class Collector:
    """`hangs`: it takes a request and never answers."""

    hangs: bool = False
    bodies: list[str] = field(default_factory=list)
    spans: list[Seen] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def __aenter__(self) -> Collector:
        application = web.Application()
        application.router.add_post("/v1/traces", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.asked.set()
        if self.hangs:
            await asyncio.sleep(60)
        self.bodies.append(await request.text())
        self.headers.append(dict(request.headers))
        for resource in (await request.json())["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                self.spans += [_seen(span) for span in scope["spans"]]
        return web.json_response({})

    def of(self, trace: str) -> list[Seen]:
        return [span for span in self.spans if span.trace == trace]


def _seen(span: dict[str, Any]) -> Seen:
    events = [(event["name"], _attributes(event)) for event in span.get("events", [])]
    return Seen(span["name"], span["traceId"], span["spanId"], span.get("parentSpanId", ""), _attributes(span), events)


def _attributes(of: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: str(next(iter(each["value"].values()))) for each in of.get("attributes", [])}
