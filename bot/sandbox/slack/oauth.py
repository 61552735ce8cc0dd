"""One app that several workspaces install: one address for the API, one signing secret, one socket, a token for each.

Source: Slack docs: authentication/installing-with-oauth, authentication/using-token-rotation, methods auth.revoke.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from aiohttp import web

from bot.sandbox.slack.records import Json
from bot.sandbox.slack.server import MOST_BYTES, LocalSlack
from bot.sandbox.slack.socket_mode import SocketMode
from bot.sandbox.slack.web_api import read_call
from bot.sandbox.slack.workspace import Workspace

CODE_SECONDS = 600
EXPIRES_IN = 43_200  # Slack docs: authentication/using-token-rotation


@dataclass
class _Code:
    slack: LocalSlack
    user_id: str
    scopes: str
    redirect_uri: str
    until: float


class LocalSlackApp:
    """Use as `async with LocalSlackApp() as app`. `rotates`: tokens expire, as where token rotation is on.

    `exchanges` counts what was asked of oauth.v2.access: each `(grant, answer)`; `strange_tokens` the calls with a token
    that no workspace knows.
    """

    def __init__(self) -> None:
        self.client_id, self.client_secret = "1234567890.9876543210", "local-client-secret"
        self.signing_secret, self.app_token = "local-signing-secret", "xapp-local"  # protects nothing but tests
        self.redirect_urls: list[str] = []
        self.rotates = False
        self.first_lasts = EXPIRES_IN  # seconds; of a token that a code is exchanged for
        self.slacks: dict[str, LocalSlack] = {}
        self.exchanges: list[tuple[str, Json]] = []
        self.strange_tokens = 0
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, LocalSlack] = {}
        self._first = Workspace()
        self.sockets = SocketMode(self._first)
        self._runner: web.AppRunner | None = None
        self._web = web.Application(client_max_size=MOST_BYTES)
        self.url = ""

    async def __aenter__(self) -> Self:
        self._web.router.add_get("/oauth/v2/authorize", self._authorize)
        self._web.router.add_route("*", "/api/{method}", self._api)
        self._web.router.add_post("/{team}/response/{key}", self._response)
        self._web.router.add_get("/link/", self.sockets.serve)
        self._runner = web.AppRunner(self._web, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._first.base_url = self.url
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for slack in self.slacks.values():
            await slack.delivery.close()
        await self.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    def add_workspace(
        self, team_id: str, name: str, *, enterprise_id: str | None = None, wide: bool = False
    ) -> LocalSlack:
        """A workspace that has not installed the app yet; `wide`: it will with its whole organisation."""
        slack = LocalSlack(signing_secret=self.signing_secret, app_token=self.app_token, sockets=self.sockets)
        ws = slack.workspace
        ws.team_id, ws.team_name, ws.base_url = team_id, name, f"{self.url}/{team_id}"
        ws.enterprise_id, ws.is_enterprise_install = enterprise_id, wide
        ws.members[ws.bot_user_id].team_id = team_id
        slack.api.bot_tokens.clear()
        self.slacks[team_id] = slack
        return slack

    async def uninstall(
        self, slack: LocalSlack, *, order: tuple[str, ...] = ("tokens_revoked", "app_uninstalled")
    ) -> None:
        """An admin takes the app out: its tokens are dead, and Slack tells of both in any order."""
        for token in slack.api.bot_tokens:
            slack.api.bot_tokens[token] = "account_inactive"  # an error
        for kind in order:
            await slack.delivery.send_event(self.departure(slack, kind))

    def departure(self, slack: LocalSlack, kind: str) -> Json:
        """The event `app_uninstalled` or `tokens_revoked`."""
        ws = slack.workspace
        event: Json = {"type": kind}
        if kind == "tokens_revoked":
            event["tokens"] = {"oauth": [], "bot": [ws.bot_user_id]}
        return {
            "token": "deprecated-and-never-checked",
            "team_id": ws.enterprise_id if ws.is_enterprise_install else ws.team_id,
            "enterprise_id": ws.enterprise_id,
            "api_app_id": ws.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": ws.new_id("Ev"),
            "event_time": int(time.time()),
        }

    async def _authorize(self, request: web.Request) -> web.Response:
        """Slack's page. `team` and `user` are who allows it here; `deny` refuses. In between a browser shows buttons."""
        query = request.query
        redirect = query.get("redirect_uri") or (self.redirect_urls[0] if self.redirect_urls else "")
        if query.get("client_id") != self.client_id or redirect not in self.redirect_urls:
            return web.Response(status=400, text="bad_redirect_uri or invalid_client_id")
        if "deny" in query:
            raise web.HTTPFound(f"{redirect}?{urlencode({'error': 'access_denied', 'state': query['state']})}")
        slack = self.slacks[query["team"]]
        code = secrets.token_hex(12)
        given = query.get("redirect_uri", "")
        self._codes[code] = _Code(slack, query["user"], query["scope"], given, time.monotonic() + CODE_SECONDS)
        raise web.HTTPFound(f"{redirect}?{urlencode({'code': code, 'state': query['state']})}")

    async def _api(self, request: web.Request) -> web.StreamResponse:
        params, token = await read_call(request)
        method = request.match_info["method"]
        if method == "oauth.v2.access":
            answer = self._access(params)
            self.exchanges.append((params.get("grant_type", "code"), answer))
            return web.json_response(answer)
        if token == self.app_token:
            if method != "apps.connections.open":
                return web.json_response({"ok": False, "error": "not_allowed_token_type"})
            return web.json_response({"ok": True, "url": self.sockets.new_url()})
        slack = next((one for one in self.slacks.values() if token in one.api.bot_tokens), None)
        if slack is None:
            self.strange_tokens += 1
            return web.json_response({"ok": False, "error": "invalid_auth" if token else "not_authed"})
        if method == "auth.revoke" and not slack.api.bot_tokens[str(token)]:
            slack.api.bot_tokens[str(token)] = "token_revoked"
            return web.json_response({"ok": True, "revoked": True})
        return await slack.api.handle(request)

    async def _response(self, request: web.Request) -> web.StreamResponse:
        slack = self.slacks.get(request.match_info["team"])
        return web.Response(status=404) if slack is None else await slack.response_urls.handle(request)

    def _access(self, params: Json) -> Json:
        if params.get("client_id") != self.client_id:
            return {"ok": False, "error": "invalid_client_id"}
        if params.get("client_secret") != self.client_secret:
            return {"ok": False, "error": "bad_client_secret"}
        if params.get("grant_type") == "refresh_token":
            slack = self._refresh.pop(str(params.get("refresh_token")), None)
            return {"ok": False, "error": "invalid_refresh_token"} if slack is None else self._grant(slack, EXPIRES_IN)
        code = self._codes.pop(str(params.get("code")), None)
        if code is None or code.until < time.monotonic():
            return {"ok": False, "error": "invalid_code"}
        if params.get("redirect_uri", "") != code.redirect_uri:
            return {"ok": False, "error": "bad_redirect_uri"}
        code.slack.workspace.scopes.intersection_update(code.scopes.split(","))
        return self._grant(code.slack, self.first_lasts) | {"authed_user": {"id": code.user_id}}

    def _grant(self, slack: LocalSlack, lasts: int) -> Json:
        ws = slack.workspace
        token = ("xoxe.xoxb-" if self.rotates else "xoxb-") + secrets.token_hex(12)
        slack.api.bot_tokens[token] = ""
        answer: Json = {
            "ok": True,
            "access_token": token,
            "token_type": "bot",
            "scope": ",".join(sorted(ws.scopes)),
            "bot_user_id": ws.bot_user_id,
            "app_id": ws.app_id,
            "team": None if ws.is_enterprise_install else {"id": ws.team_id, "name": ws.team_name},
            "enterprise": {"id": ws.enterprise_id, "name": f"{ws.team_name} Org"} if ws.enterprise_id else None,
            "is_enterprise_install": ws.is_enterprise_install,
        }
        if self.rotates:
            refresh = f"xoxe-1-{secrets.token_hex(12)}"
            self._refresh[refresh] = slack
            answer |= {"refresh_token": refresh, "expires_in": lasts}
        return answer
