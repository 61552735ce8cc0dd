"""What the metrics have to do with HTTP: the page that Prometheus reads, whether anybody has lately, and a count of answers."""

from __future__ import annotations

import asyncio
import time
from functools import cache

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import choose_encoder

from bot.port import guarded, plain

LATELY = 600.0  # seconds for which a scrape counts: then nobody looks, and the database is left alone


class Page:
    """`GET /metrics`, and how all pages are answered."""

    def __init__(self, registry: CollectorRegistry, answers: Counter) -> None:
        self._registry = registry
        self._answers = cache(answers.labels)
        self._scraped_at = time.monotonic()  # the first is waited for as if one had just been

    def is_read(self) -> bool:
        """Whether somebody has scraped lately."""
        return time.monotonic() - self._scraped_at < LATELY

    async def metrics(self, request: web.Request) -> web.Response:
        """Everything there is, in the format that is asked for. In a thread, as it takes milliseconds."""
        self._scraped_at = time.monotonic()
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = await asyncio.to_thread(encode, self._registry)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def count(self, request: web.Request, answer: web.StreamResponse) -> None:
        """An answer is about to be sent: for the signal `on_response_prepare`."""
        resource = request.match_info.route.resource
        self._answers(resource.canonical if resource else "other", str(answer.status)).inc()

    def application(self) -> web.Application:
        """The page alone, for an address of its own."""
        application = web.Application(middlewares=[guarded])
        application.on_response_prepare.append(plain)
        application.router.add_get("/metrics", self.metrics)
        return application
