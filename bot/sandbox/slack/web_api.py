"""The Web API over HTTP: reads a call, checks token, scope and rate, runs the method, records it, answers as Slack.

No method's own rules here: those are in the `*_methods` files.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from aiohttp import web

from bot.sandbox.slack import chat_methods, directory_methods, file_methods, view_methods
from bot.sandbox.slack.api_error import NOT_A_FAULT_OF_THE_BOT, ApiError
from bot.sandbox.slack.api_methods import Method, Site, insist_scope
from bot.sandbox.slack.faults import Fault, Faults
from bot.sandbox.slack.rate_limits import RateLimits
from bot.sandbox.slack.records import Json

METHODS: dict[str, Method] = (
    chat_methods.METHODS | directory_methods.METHODS | file_methods.METHODS | view_methods.METHODS
)
_JSON_PARAMETERS = ("blocks", "attachments", "view", "metadata", "files")


@dataclass(frozen=True)
class Call:
    """One call the bot made. `params` never hold the token; `at` is unix seconds; `response` is {} where lost."""

    method: str
    params: Json
    response: Json
    at: float


class WebApi:
    """Serves `/api/<method>`."""

    def __init__(self, site: Site, faults: Faults, limits: RateLimits, bot_token: str, app_token: str) -> None:
        self._site = site
        self._faults = faults
        self._limits = limits
        self.bot_tokens: dict[str, str] = {bot_token: ""}  # each with the error it meets, none for a good one
        self._app_token = app_token
        self.calls: list[Call] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call, or close the connection where a fault says so."""
        name = request.match_info["method"]
        at = time.time()
        params, token = await read_call(request)
        if self._faults.delay:
            await asyncio.sleep(self._faults.delay)
        fault = self._faults.take(name)
        if fault is not None and fault.drop == "before":
            return self._drop(request, name, params, at)
        if fault is not None and fault.drop is None:
            answer, status, headers = _fault_answer(fault)
        else:
            answer, status, headers = self._answer(name, params, token)
        if fault is not None and fault.drop == "after":
            return self._drop(request, name, params, at)
        self._record(Call(name, params, answer, at))
        headers["x-oauth-scopes"] = ",".join(sorted(self._site.workspace.scopes))
        headers["Date"] = formatdate(time.time() + self._faults.clock_skew, usegmt=True)
        return web.json_response(answer, status=status, headers=headers)

    def _answer(self, name: str, params: Json, token: str | None) -> tuple[Json, int, dict[str, str]]:
        try:
            method = self._authorised(name, token)
            wait = self._limits.retry_after(name, method.per_minute, params.get("channel"))
            if wait is not None:
                return {"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(wait)}
            return {"ok": True, **method.call(self._site, params)}, 200, {}
        except ApiError as error:
            if error.code not in NOT_A_FAULT_OF_THE_BOT and name != "api.test":
                self._site.workspace.violate(f"{name}: {error.code} {' '.join(error.messages)}".strip())
            return error.to_json(), error.status, {}

    def _authorised(self, name: str, token: str | None) -> Method:
        method = METHODS.get(name)
        if method is None:
            raise ApiError("unknown_method", req_method=name)
        if name == "api.test":
            return method
        if not token:
            raise ApiError("not_authed")
        if token != self._app_token and (refusal := self.bot_tokens.get(token, "invalid_auth")):
            raise ApiError(refusal)
        if (token == self._app_token) != method.app_token:
            raise ApiError("not_allowed_token_type")
        if not method.app_token:
            insist_scope(self._site, *method.scopes)
        return method

    def _drop(self, request: web.Request, name: str, params: Json, at: float) -> web.StreamResponse:
        self._record(Call(name, params, {}, at))
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    def _record(self, call: Call) -> None:
        self.calls.append(call)
        self._site.workspace.changed()


def _fault_answer(fault: Fault) -> tuple[Json, int, dict[str, str]]:
    headers = {"Retry-After": f"{fault.retry_after:g}"} if fault.retry_after is not None else {}
    status = 429 if fault.retry_after is not None and fault.status == 200 else fault.status
    error = "ratelimited" if status == 429 and fault.error in (None, "internal_error") else fault.error
    return {"ok": False, "error": error or "internal_error"}, status, headers


async def read_call(request: web.Request) -> tuple[Json, str | None]:
    """The parameters of a call, wherever they were sent, and its token apart from them."""
    params: Json = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError:
            body = None
        params |= body if isinstance(body, dict) else {}
    elif request.method == "POST":
        params |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    sent = params.pop("token", None)
    header = request.headers.get("Authorization", "")
    token = header.removeprefix("Bearer ").strip() if header.startswith("Bearer ") else sent
    return {name: _parsed(name, value) for name, value in params.items()}, token


def _parsed(name: str, value: Any) -> Any:
    if name in _JSON_PARAMETERS and isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
