"""Slack's side of an installation: where a browser is sent, and what a code or a refresh token is exchanged for.

Slack docs: authentication/installing-with-oauth, authentication/using-token-rotation.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.errors import Refused, SlackUnavailable
from bot.domain.installations import Installation, is_workspace_id
from bot.slack.directory import REFUSED_TOKEN, UNREACHABLE
from bot.slack.ids import SCOPES
from bot.use_cases.refresh_token import Tokens

OURS = ("bad_client_secret", "invalid_client_id")  # Slack docs: oauth.v2.access; the browser can't help it
EVENT_LIMIT = 1.5  # seconds; Slack waits for three
LIMIT = 15.0  # seconds; whoever has a code or a refresh token waits for it


@dataclass(frozen=True, slots=True)
class Granted:
    """What Slack gave for a code: the installation, its tokens not sealed yet and apart from it."""

    installation: Installation
    tokens: Tokens


class SlackOAuth:
    """One app at Slack. `redirect_uri` is empty where Slack is to use the one of the app's page."""

    def __init__(self, client: AsyncWebClient, client_id: str, client_secret: str, redirect_uri: str) -> None:
        self._client = client
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect = {"redirect_uri": redirect_uri} if redirect_uri else {}

    def authorize_url(self, state: str) -> str:
        """Where a browser is sent to, to be asked."""
        parts = urlsplit(self._client.base_url)
        query = {"client_id": self._client_id, "scope": ",".join(SCOPES), "state": state, **self._redirect}
        return f"{parts.scheme}://{parts.netloc}/oauth/v2/authorize?{urlencode(query)}"

    async def exchange_code(self, code: str) -> Granted:
        """What the code is worth. Raises Refused where Slack doesn't take it, and SlackUnavailable."""
        try:
            answer = await self._access(code=code, **self._redirect)
            tokens = _tokens(answer)
            me = await asyncio.wait_for(self._client.auth_test(token=tokens.token), LIMIT)
        except SlackApiError as error:
            reason = str(error.response.get("error"))
            if reason in OURS:
                raise Refused(
                    f"The bot's own credentials at Slack are wrong ({reason}), so nothing was installed. Tell whoever"
                    " operates it."
                ) from None
            raise Refused(f"Slack did not take what the browser brought back ({reason}).") from None
        except UNREACHABLE as error:
            raise SlackUnavailable from error
        return Granted(_installation(answer, str(me.get("bot_id") or "")), tokens)

    async def exchange_refresh_token(self, refresh_token: str) -> Tokens:
        """New tokens for it. Raises SlackUnavailable, with Slack's reason."""
        try:
            return _tokens(await self._access(grant_type="refresh_token", refresh_token=refresh_token))
        except SlackApiError as error:
            raise SlackUnavailable(f"Slack refuses ({error.response.get('error')}).") from None
        except UNREACHABLE as error:
            raise SlackUnavailable("Slack does not answer.") from error

    async def takes(self, token: str) -> bool:
        """Whether the token is good. Raises SlackUnavailable where Slack doesn't say; an event waits for it."""
        try:
            await asyncio.wait_for(self._client.auth_test(token=token), EVENT_LIMIT)
        except SlackApiError as error:
            if error.response.get("error") in REFUSED_TOKEN:
                return False
            raise SlackUnavailable from error
        except UNREACHABLE as error:
            raise SlackUnavailable from error
        return True

    async def revoke(self, token: str) -> str:
        """Have Slack take a token back; without one the app is not installed. Returns why it did not, or nothing.

        `apps.uninstall` would do too, but the client puts the app's secret into an address for it.
        """
        try:
            await asyncio.wait_for(self._client.auth_revoke(token=token), LIMIT)
        except SlackApiError as error:
            return str(error.response.get("error"))
        except UNREACHABLE as error:
            return type(error).__name__
        return ""

    async def _access(self, **arguments: Any) -> AsyncSlackResponse:
        # Not by the client's own method, which warns of what it uses: aiohttp will take BasicAuth away.
        app = {"client_id": self._client_id, "client_secret": self._client_secret}
        return await asyncio.wait_for(self._client.api_call("oauth.v2.access", data=app | arguments), LIMIT)


def missing_scopes(installation: Installation) -> list[str]:
    """What the bot needs and was not given."""
    return sorted(set(SCOPES) - set(installation.scopes.split(",")))


def _tokens(answer: AsyncSlackResponse) -> Tokens:
    lasts = answer.get("expires_in")
    return Tokens(
        token=str(answer.get("access_token") or ""),
        refresh_token=str(answer.get("refresh_token") or ""),
        lasts=timedelta(seconds=int(lasts)) if lasts else None,
    )


def _installation(answer: AsyncSlackResponse, bot_id: str) -> Installation:
    team, enterprise = answer.get("team") or {}, answer.get("enterprise") or {}
    wide = bool(answer.get("is_enterprise_install"))
    workspace_id = str((enterprise if wide else team).get("id") or "")
    if not is_workspace_id(workspace_id) or not answer.get("access_token"):
        raise Refused("Slack did not say which workspace this is.")
    return Installation(
        id=workspace_id,
        team_id="" if wide else workspace_id,
        enterprise_id=str(enterprise.get("id") or ""),
        name=str((enterprise if wide else team).get("name") or ""),
        app_id=str(answer.get("app_id") or ""),
        bot_user_id=str(answer.get("bot_user_id") or ""),
        bot_id=bot_id,
        scopes=str(answer.get("scope") or ""),
        token="",  # sealed before it is kept
        refresh_token="",  # as above
        expires_at=None,
        installed_at=datetime.now(UTC),
        installed_by=str((answer.get("authed_user") or {}).get("id") or ""),
    )
