"""The stand-in's intake of logs and events (Datadog API reference: Send logs, Post an event)."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bot.sandbox.datadog.answers import answer


class IntakeRoutes:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    async def take_logs(self, request: web.Request) -> web.Response:
        """A list of logs, or one; answered with 202 and nothing."""
        try:
            sent = await request.json()
        except ValueError:
            return answer(400, {"errors": [{"status": "400", "title": "Bad Request", "detail": "Invalid JSON"}]})
        self.logs += sent if isinstance(sent, list) else [sent]
        return answer(202, {})

    async def take_event(self, request: web.Request) -> web.Response:
        """One event: title and text are needed."""
        try:
            sent = await request.json()
        except ValueError:
            sent = None
        if not isinstance(sent, dict) or not sent.get("title") or not sent.get("text"):
            return answer(400, {"errors": ["Missing required attributes: title, text"]})
        self.events.append(sent)
        return answer(202, {"status": "ok", "event": {"id": len(self.events), **sent}})
