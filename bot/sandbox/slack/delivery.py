"""Carrying requests to the bot: signed HTTP or Socket Mode, three seconds to answer, retries for events only.

Knows no meaning of an answer; `answers` does. Sources: Slack docs: interactivity/handling-user-interaction,
apis/events-api.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.sandbox.slack.records import Json
from bot.sandbox.slack.signing import signed_headers
from bot.sandbox.slack.socket_mode import SocketMode
from bot.sandbox.slack.workspace import Workspace

ACK_SECONDS = 3.0
_ENVELOPES = {
    "command": "slash_commands",
    "interactive": "interactive",
    "options": "interactive",
    "event": "events_api",
}


@dataclass(frozen=True)
class Ack:
    """The bot's answer to one request. `status` 0 and an `error` where none came in time.

    `error`: operation_timeout (over 3 s), dispatch_failed (no connection, or not answered with 200), or None.
    """

    status: int
    body: str = ""
    error: str | None = None
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def json(self) -> Any:
        """The body as JSON, or None where it is empty or no JSON."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None


@dataclass(frozen=True)
class Delivered:
    """One request sent to the bot, as the bot got it. `kind`: command, interactive, options or event."""

    kind: str
    payload: Json
    ack: Ack
    at: float


class Delivery:
    """Sends requests and remembers them in `delivered`; those over 3 s also in `slow_answers`."""

    def __init__(self, workspace: Workspace, sockets: SocketMode, signing_secret: str) -> None:
        self._workspace = workspace
        self._sockets = sockets
        self._signing_secret = signing_secret
        self._session: aiohttp.ClientSession | None = None
        self._retries: set[asyncio.Task[None]] = set()
        self.bot_url: str | None = None
        self.ack_seconds = ACK_SECONDS
        self.event_retry_delays: tuple[float, ...] = (0.05, 60.0, 300.0)
        self.delivered: list[Delivered] = []
        self.slow_answers: list[str] = []

    async def send(self, kind: str, payload: Json, retry: tuple[int, str] | None = None) -> Ack:
        """Send a request once and wait at most `ack_seconds` for the answer."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.ack_seconds):
                ack = await self._carry(kind, payload, retry)
        except TimeoutError:
            ack = Ack(0, error="operation_timeout")
            self.slow_answers.append(f"{kind} {name_of(kind, payload)}: no answer in {self.ack_seconds} s")
        except (aiohttp.ClientError, ConnectionError, OSError) as error:
            ack = Ack(0, str(error), error="dispatch_failed")
        ack = Ack(ack.status, ack.body, ack.error, time.monotonic() - started, ack.headers)
        self.delivered.append(Delivered(kind, payload, ack, time.time()))
        self._workspace.changed()
        return ack

    async def send_event(self, payload: Json) -> Ack:
        """Send an event; where it fails, Slack repeats it up to three times, unless told `X-Slack-No-Retry: 1`."""
        ack = await self.send("event", payload)
        if not ack.ok and ack.headers.get("x-slack-no-retry") != "1":
            task = asyncio.create_task(self._repeat(payload, ack))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)
        return ack

    async def close(self) -> None:
        """Stop repeating and close the connections to the bot."""
        for task in list(self._retries):
            task.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _repeat(self, payload: Json, ack: Ack) -> None:
        for number, delay in enumerate(self.event_retry_delays, start=1):
            reason = {"operation_timeout": "http_timeout"}.get(
                ack.error or "", "http_error" if ack.status else "connection_failed"
            )
            await asyncio.sleep(delay)
            ack = await self.send("event", payload, (number, reason))
            if ack.ok or ack.headers.get("x-slack-no-retry") == "1":
                return

    async def _carry(self, kind: str, payload: Json, retry: tuple[int, str] | None) -> Ack:
        if self.bot_url is None:
            reply = (await self._sockets.send(_ENVELOPES[kind], payload, retry)).get("payload")
            return Ack(200, json.dumps(reply) if reply is not None else "")
        body, content_type = encoded(kind, payload)
        headers = {"Content-Type": content_type, **signed_headers(self._signing_secret, body)}
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": retry[1]}
        if self._session is None:
            # A new connection each time, so that a bot that was killed and restarted is met as Slack would meet it.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        async with self._session.post(
            self.bot_url, data=body.encode(), headers=headers, allow_redirects=False
        ) as answer:
            text = await answer.text()
            good = answer.status // 100 == 2 if kind == "event" else answer.status == 200
            shown = {name.lower(): value for name, value in answer.headers.items()}
            return Ack(answer.status, text, None if good else "dispatch_failed", headers=shown)


def encoded(kind: str, payload: Json) -> tuple[str, str]:
    """The HTTP body of a request and its content type, as Slack encodes each kind."""
    if kind == "event":
        return json.dumps(payload), "application/json"
    fields = payload if kind == "command" else {"payload": json.dumps(payload)}
    return urlencode(fields), "application/x-www-form-urlencoded"


def name_of(kind: str, payload: Json) -> str:
    """What a request is about, for error texts: the command, the callback_id, action_id or event type."""
    if kind == "command":
        return str(payload.get("command"))
    if kind == "event":
        return str(payload.get("event", {}).get("type"))
    actions = payload.get("actions") or [{}]
    view = payload.get("view") or {}
    name = (
        payload.get("action_id") or actions[0].get("action_id") or payload.get("callback_id") or view.get("callback_id")
    )
    return f"{payload.get('type')} {name}"
