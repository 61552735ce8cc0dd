"""What this process has heard from Slack since it started. Noted as requests come; nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.slack.socket_message import Hello


@dataclass(slots=True)
class Heard:
    """The latest of each kind of news. Times are this machine's."""

    request_at: datetime | None = None
    command: str = ""
    refused: int = 0
    refused_at: datetime | None = None
    connections: int | None = None
    connected_at: datetime | None = None
    app_id: str = ""

    def request(self, body: Mapping[str, Any]) -> None:
        """A request that surely is Slack's."""
        self.request_at = datetime.now(UTC)
        self.command = str(body.get("command") or self.command)[:40]

    def refusal(self) -> None:
        """A request that looked signed was turned away; the rest is the noise of the open internet."""
        self.refused += 1
        self.refused_at = datetime.now(UTC)

    def hello(self, hello: Hello) -> None:
        """A socket was opened: Slack says how many the app has, and which app it is."""
        again = self.connected_at is not None  # the socket before may not be closed yet, and be counted too
        self.connections = None if hello.connections is None else max(1, hello.connections - again)
        self.connected_at = datetime.now(UTC)
        self.app_id = hello.app_id
