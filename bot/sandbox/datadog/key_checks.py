"""Who may enter the stand-in, and its two routes that only check keys."""

from __future__ import annotations

import hmac
import secrets

from aiohttp import web

from bot.sandbox.datadog.answers import answer

API_KEY_CHECK = "/api/v1/validate"
KEY_PAIR_CHECK = "/api/v2/validate_keys"
LOGS, EVENTS = "/api/v2/logs", "/api/v1/events"
BY_API_KEY = frozenset({API_KEY_CHECK, LOGS, EVENTS})  # routes that want no application key


class Door:
    """The keys of the stand-in's organisation; those not given are made up."""

    def __init__(self, api_key: str, app_key: str, access_token: str) -> None:
        self.api_key = api_key or secrets.token_hex(16)
        self.app_key = app_key or secrets.token_hex(20)
        self.access_token = access_token or secrets.token_urlsafe(24)

    def turn_away(self, request: web.Request) -> web.Response | None:
        """The refusal of wrong keys: 403 with recorded words where the API key is missing, 401 for a bearer."""
        headers = request.headers
        if "Authorization" in headers:
            right = _same(headers["Authorization"], f"Bearer {self.access_token}")
            return None if right else answer(401, {"errors": ["Unauthorized"]})
        if not headers.get("DD-API-KEY"):
            return answer(403, {"errors": ["API key required"]})
        right = _same(headers["DD-API-KEY"], self.api_key)
        if request.path not in BY_API_KEY:
            right = right and _same(headers.get("DD-APPLICATION-KEY", ""), self.app_key)
        return None if right else answer(403, {"errors": ["Forbidden"]})


async def api_key_is_valid(_: web.Request) -> web.Response:
    """The API key alone was checked on the way in."""
    return answer(200, {"valid": True})


async def keys_are_valid(_: web.Request) -> web.Response:
    """Both keys were checked on the way in."""
    return answer(200, {"status": "ok"})


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
