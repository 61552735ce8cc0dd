"""One request from Slack, whatever its kind, and the one chance to answer it in time.

Slack waits 3 seconds (Slack docs: interactivity/handling-user-interaction). Whoever hasn't answered by `ACK_LIMIT` is
answered for, and says the rest later: in the view that is open, through the response URL, or in a direct message.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slack_bolt.response import BoltResponse

ACK_LIMIT = 2.3  # seconds; the rest of Slack's 3 is for the network


@dataclass(slots=True)
class Reply:
    """The answer to one request: given once, by the listener in time or by the switchboard when time is up."""

    answered: asyncio.Future[BoltResponse] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    is_late: bool = False

    def ack(self, body: str | Mapping[str, Any] = "") -> bool:
        """Answer Slack. False where it has been answered already: then what was to be said must go another way."""
        if self.answered.done():
            return False
        self.answered.set_result(BoltResponse(status=200, body=body if isinstance(body, str) else dict(body)))
        return True

    def late(self, body: str | Mapping[str, Any]) -> None:
        """Time is up: answer for the listener, unless it has."""
        self.is_late = self.ack(body)

    def fail(self) -> None:
        """Have Slack send it again later, which it does with events alone."""
        if not self.answered.done():
            self.answered.set_result(BoltResponse(status=503))


@dataclass(frozen=True, slots=True)
class Incoming:
    """What every listener gets. `team_id` is the person's own team, which in a shared channel may be another company's."""

    body: Mapping[str, Any]
    team_id: str
    user_id: str
    channel_id: str
    reply: Reply
    # 128 random bits: it serves as the id of a trace too, and what samples traces takes all of them for random.
    request_id: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def trigger_id(self) -> str:
        return str(self.body.get("trigger_id", ""))

    @property
    def response_url(self) -> str:
        return str(self.body.get("response_url", ""))

    @property
    def view(self) -> Mapping[str, Any]:
        return self.body.get("view") or {}

    @property
    def action(self) -> Mapping[str, Any]:
        actions = self.body.get("actions") or [{}]
        first: Mapping[str, Any] = actions[0]
        return first

    def command_key(self) -> str:
        """The same for each delivery of one slash command: its trigger id is made once, by Slack."""
        return "command:" + hashlib.sha256(f"{self.team_id} {self.trigger_id}".encode()).hexdigest()


def read_incoming(body: Mapping[str, Any], reply: Reply) -> Incoming:
    """The parts that each kind of payload keeps in another place (Slack docs: interactivity payloads, slash commands)."""
    user = body.get("user") if isinstance(body.get("user"), dict) else {}
    team = body.get("team") if isinstance(body.get("team"), dict) else {}
    channel = body.get("channel") if isinstance(body.get("channel"), dict) else {}
    return Incoming(
        body=body,
        team_id=str((user or {}).get("team_id") or (team or {}).get("id") or body.get("team_id") or ""),
        user_id=str((user or {}).get("id") or body.get("user_id") or ""),
        channel_id=str((channel or {}).get("id") or body.get("channel_id") or ""),
        reply=reply,
    )
