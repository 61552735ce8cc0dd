"""What comes over the socket, as one of three things, or as nothing that Slack sends.

Slack docs: apis/events-api/using-socket-mode. Total: no text makes it stumble.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from bot.slack.payload import Malformed, checked

LIFE = 3600.0  # seconds that a socket lasts where Slack doesn't say


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message. `connections`: how many sockets the app has; `life`: seconds that this one will last, about."""

    connections: int | None
    app_id: str
    life: float


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Slack takes the socket back: warning, refresh_requested, link_disabled, too_many_websockets."""

    reason: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """One request. It is answered with its id; `headers` are those that it would have had over HTTP."""

    id: str
    payload: dict[str, Any]
    headers: Mapping[str, str]


def read_message(text: str) -> Hello | Disconnect | Envelope | None:
    """The message; None where it is none of Slack's."""
    try:
        message = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    match message:
        case {"type": "hello"}:
            return _hello(message)
        case {"type": "disconnect"}:
            return Disconnect(str(message.get("reason"))[:40])
        case {"envelope_id": str(id_), "payload": payload} if 0 < len(id_) <= 200:
            with contextlib.suppress(Malformed):
                return Envelope(id_, checked(payload), _headers(message))
    return None


def _hello(message: Mapping[str, Any]) -> Hello:
    count, info, debug = (message.get(name) for name in ("num_connections", "connection_info", "debug_info"))
    app_id = info.get("app_id") if isinstance(info, dict) else None
    life = debug.get("approximate_connection_time") if isinstance(debug, dict) else None
    return Hello(
        connections=count if type(count) is int and 0 <= count < 1000 else None,
        app_id=app_id[:40] if isinstance(app_id, str) else "",
        life=float(life) if type(life) is int and 60 <= life <= 86_400 else LIFE,
    )


def _headers(message: Mapping[str, Any]) -> dict[str, str]:
    """Slack's word on a repeated event, under the names that HTTP has for it."""
    number, reason = message.get("retry_attempt"), message.get("retry_reason")
    found = {"x-slack-retry-num": str(number)} if type(number) is int and 0 < number < 100 else {}
    return found | ({"x-slack-retry-reason": reason[:40]} if isinstance(reason, str) and found else {})
