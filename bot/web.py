"""The HTTP door: Slack's requests, health and readiness. Nothing passes to Bolt that Bolt would stumble over."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_internals import build_async_context
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.slack.heard import Heard

BODY_LIMIT = 1_000_000  # bytes; Slack's largest payloads, views of 250 kB, are well below
FORM = "application/x-www-form-urlencoded"

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[str | None]]
Handler = Callable[[web.Request], Awaitable[web.Response]]


def build_web(
    app: AsyncApp, ready: Check, heard: Heard, metrics: Handler | None, *, takes_events: bool
) -> web.Application:
    """The web application. `ready` says what is missing, or None. In Socket Mode nothing comes to /slack/events; `metrics`
    is None where they have an address of their own."""

    async def events(request: web.Request) -> web.Response:
        answer = await _dispatch(app, request)
        if answer.status == 401:
            heard.refusal(request.headers.get("X-Slack-Signature", ""))
        return answer

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        missing = await ready()
        body = {"status": "ready"} if missing is None else {"status": "not ready", "reason": missing}
        return web.json_response(body, status=200 if missing is None else 503)

    application = web.Application(client_max_size=BODY_LIMIT)
    if takes_events:
        application.router.add_post("/slack/events", events)
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    if metrics is not None:
        application.router.add_get("/metrics", metrics)
    return application


async def _dispatch(app: AsyncApp, request: web.Request) -> web.Response:
    raw = await request.read()
    timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        # Bolt would turn it into a number and answer 500.
        return web.json_response({"error": "invalid request"}, status=401)
    try:
        bolt_request = AsyncBoltRequest(
            body=raw.decode(), query=request.query_string, headers={k: [v] for k, v in request.headers.items()}
        )
    except (ValueError, AttributeError, TypeError):  # not UTF-8, not JSON, or not an object: Slack sends none of these
        return web.json_response({"error": "invalid request"}, status=400)
    _mend(bolt_request)
    return _answer(await app.async_dispatch(bolt_request))


def _mend(request: AsyncBoltRequest) -> None:
    """Bolt 1.30 reads a form that holds the word `payload`, but no field of that name, as empty: `/workflow run payload-check`
    would reach nobody. Signatures are checked over the raw body, so this changes nothing about them."""
    if not request.body and request.raw_body and request.content_type == FORM:
        request.body = dict(parse_qsl(request.raw_body, keep_blank_values=True))
        request.context = build_async_context(request.context, request.body)


def _answer(answer: BoltResponse) -> web.Response:
    headers = answer.first_headers_without_set_cookie()
    content_type = headers.pop("content-type", "text/plain").split(";")[0]
    return web.Response(
        status=answer.status, text=answer.body, content_type=content_type, charset="utf-8", headers=headers
    )
