"""Installing through a browser: a page that leads to Slack, and the one that Slack leads back to.

What comes back is taken only from the browser that went: it holds a cookie, of which the state has the digest, sealed and
good for ten minutes. Each state is good once; the database knows those that were used, so any replica may finish.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta

from aiohttp import web

from bot.domain.errors import NotRecorded, Refused, SlackUnavailable, UnreadableSecret
from bot.domain.installations import Installation
from bot.install_html import HEADERS, installed_page, refused_page, start_page
from bot.settings import Settings, is_loopback
from bot.slack.oauth import Granted, SlackOAuth, missing_scopes
from bot.storage.sealing import FernetSealer
from bot.storage.store import SqlStore
from bot.use_cases.refresh_token import TOKEN
from bot.workspaces import Workspaces

LASTS = 600  # seconds from the first page to the last
PURPOSE = "install"
ONCE = (
    "This page is good once",
    "It was opened a second time, too late, or in another browser than the one that began. If it said “Installed” before, all"
    " is well. Otherwise start again.",
)
AT_ONCE, A_WHILE = 30, 60.0  # so many installations in so many seconds, in one replica

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InstallPages:
    """The two pages."""

    settings: Settings
    oauth: SlackOAuth
    sealer: FernetSealer
    store: SqlStore
    workspaces: Workspaces
    lately: deque[float] = field(default_factory=lambda: deque(maxlen=AT_ONCE))

    def add_to(self, application: web.Application) -> None:
        """Serve them."""
        application.router.add_get("/slack/install", self.start)
        application.router.add_get("/slack/oauth_redirect", self.finish)

    async def start(self, request: web.Request) -> web.Response:
        """Nothing is written: whoever looks at this page a thousand times leaves no trace."""
        browser = secrets.token_urlsafe(32)
        page = _answer(start_page(self.oauth.authorize_url(self.sealer.seal({PURPOSE: _digest(browser)}))))
        name, secure = self._cookie(request)
        page.set_cookie(name, browser, max_age=LASTS, path="/", secure=secure, httponly=True, samesite="Lax")
        return page

    async def finish(self, request: web.Request) -> web.Response:
        """Slack docs: authentication/installing-with-oauth."""
        page = await self._finish(request)
        name, secure = self._cookie(request)
        page.del_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")
        return page

    async def _finish(self, request: web.Request) -> web.Response:
        browser, query = request.cookies.get(self._cookie(request)[0], ""), request.query
        try:
            if not await self._is_theirs(query.get("state", ""), browser):
                log.warning("an installation came back a second time, too late, or in another browser")
                return _answer(refused_page(*ONCE), 403)
            if "error" in query:
                words = "You did not allow it in Slack, so nothing was installed."
                return _answer(refused_page("Not installed", words), 403)
            self._insist_on_turn()
            granted = await self.oauth.exchange_code(query.get("code", ""))
            await self._insist_on_welcome(granted)
            kept = await self._keep(granted)
        except SlackUnavailable:
            words = "Slack does not answer at the moment, so nothing was installed. Start again in a moment."
            return _answer(refused_page("Slack does not answer", words), 502)
        except NotRecorded:
            words = "The bot can’t reach its database at the moment, so nothing was installed. Start again in a moment."
            return _answer(refused_page("Not installed", words), 503)
        except Refused as error:
            log.warning("an installation was refused: %s", error)
            return _answer(refused_page("Not installed", str(error)), 403)
        trouble = await self.workspaces.installed(kept)
        log.info("workspace %s (%s) has installed the bot", kept.id, kept.name)
        if missing := missing_scopes(kept):
            log.warning("workspace %s gives the bot less than it needs: without %s", kept.id, ", ".join(missing))
        return _answer(installed_page(kept, self.settings.slack_command, trouble, missing))

    async def _is_theirs(self, state: str, browser: str) -> bool:
        """Whether this very browser was sent to Slack with the state, lately, and it is the first to come back."""
        try:
            expected = str(self.sealer.unseal(state, LASTS).get(PURPOSE, ""))
        except UnreadableSecret:
            return False
        digest = _digest(browser)
        if not browser or not hmac.compare_digest(expected, digest):
            return False
        until = timedelta(seconds=2 * LASTS)  # clocks differ; and used once is used
        return await self.store.write(lambda tx: tx.use_oauth_state(digest, tx.now + until))

    def _insist_on_turn(self) -> None:
        """Raises Refused for one too many: anybody can come so far, and Slack limits what the tokens of all depend on."""
        now = time.monotonic()
        if len(self.lately) == AT_ONCE and now - self.lately[0] < A_WHILE:
            raise Refused("Many are installing the bot at the moment. Start again in a minute.")
        self.lately.append(now)

    async def _insist_on_welcome(self, granted: Granted) -> None:
        """Raises Refused for a workspace that may not; the app is taken out of it again."""
        found, allowed = granted.installation, self.settings.workspaces
        if not allowed or found.id in allowed:
            return
        reason = await self.oauth.revoke(granted.tokens.token)
        log.warning(
            "workspace %s was turned away%s", found.id, f"; Slack keeps the app there ({reason})" if reason else ""
        )
        raise Refused("This bot is not open to your workspace, so it was not installed. Ask whoever operates it.")

    async def _keep(self, granted: Granted) -> Installation:
        tokens = granted.tokens
        sealed = replace(
            granted.installation,
            token=self.sealer.seal({TOKEN: tokens.token}),
            refresh_token=self.sealer.seal({TOKEN: tokens.refresh_token}) if tokens.refresh_token else "",
        )
        return await self.store.write(lambda tx: tx.put_installation(replace(sealed, expires_at=tokens.ends(tx.now))))

    def _cookie(self, request: web.Request) -> tuple[str, bool]:
        """Its name, and whether it is for https alone: everywhere but on this machine, where there may be none."""
        if is_loopback(self.settings.public_url or f"http://{request.host}"):
            return "workflow-bot-install", False
        # Browsers take a name with this prefix only over https and from this very host (RFC 6265bis, 4.1.3.2).
        return "__Host-workflow-bot-install", True


def _digest(browser: str) -> str:
    return hashlib.sha256(browser.encode(errors="surrogateescape")).hexdigest()  # a header may hold any bytes


def _answer(html: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=html, content_type="text/html", charset="utf-8", headers=HEADERS)
