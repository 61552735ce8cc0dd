"""The HTTP door: Slack's requests, health and readiness, metrics. Nothing is looked at before its signature was."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import hdrs, web
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.port import guarded, plain
from bot.slack.heard import Heard
from bot.slack.payload import FORM, JSON, Malformed, read_body
from bot.slack.signature import Signature, read_signed

BODY_LIMIT = 1_000_000  # bytes; Slack's largest payloads, views of 250 kB, are well below
BODY_SECONDS = 3.0  # that a body may take: Slack waits no longer for the answer
BODIES = 100  # that are read at once, where one doesn't come with its headers

log = logging.getLogger(__name__)

Look = Callable[[], Awaitable[tuple[bool, Mapping[str, Any]]]]
Handler = Callable[[web.Request], Awaitable[web.Response]]


def build_web(
    app: AsyncApp,
    ready: Look,
    heard: Heard,
    metrics: Handler | None,
    signature: Signature | None,
) -> web.Application:
    """The web application. `ready` tells whether it is, and the answer to who asks.

    Without `signature`, in Socket Mode, nothing comes to /slack/events; `metrics` is None where they have an address of
    their own.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        is_ready, answer = await ready()
        return web.json_response(answer, status=200 if is_ready else 503)

    application = web.Application(client_max_size=BODY_LIMIT, middlewares=[guarded])
    application.on_response_prepare.append(plain)
    if signature is not None:
        application.router.add_post("/slack/events", SlackDoor(app, signature, heard).events)
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    if metrics is not None:
        application.router.add_get("/metrics", metrics)
    return application


class SlackDoor:
    """`POST /slack/events`: what is cheap to refuse first, then the signature, then what the payload says."""

    def __init__(self, app: AsyncApp, signature: Signature, heard: Heard) -> None:
        self._app = app
        self._signature = signature
        self._heard = heard
        self._reading = asyncio.Semaphore(BODIES)

    async def events(self, request: web.Request) -> web.Response:
        """One request of Slack's, or what pretends to be one."""
        signed = read_signed(request.headers)
        if signed is None:
            raise web.HTTPUnauthorized
        if request.content_type not in (FORM, JSON):
            raise web.HTTPUnsupportedMediaType
        raw = await self._read(request)
        if not self._signature.is_on(raw, signed):
            self._heard.refusal()
            raise web.HTTPUnauthorized
        try:
            payload = read_body(raw, request.content_type)
        except Malformed:
            log.warning("a signed request is none that Slack sends, and is refused")
            raise web.HTTPBadRequest from None
        # To Bolt it is like one that came over a socket: checked and read already.
        return _answer(await self._app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=payload)))

    async def _read(self, request: web.Request) -> bytes:
        """The body. Raises an HTTPException where it is too large, too slow, or broken off."""
        if request.content.is_eof():  # it came with its headers, so there is nothing to wait for
            return await request.read()
        try:
            async with asyncio.timeout(BODY_SECONDS), self._reading:
                return await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        except (web.RequestPayloadError, ConnectionError):
            raise web.HTTPBadRequest from None


def _answer(answer: BoltResponse) -> web.Response:
    headers = answer.first_headers_without_set_cookie()
    content_type = headers.pop(hdrs.CONTENT_TYPE.lower(), "text/plain").split(";")[0]
    return web.Response(
        status=answer.status, text=answer.body, content_type=content_type, charset="utf-8", headers=headers
    )
