"""Where the connections that Slack is spoken to by may lead: to Slack, and to what the settings name. Nowhere else.

Every request passes here, also each hop of a redirect: Slack's own client would follow one, with the token's answer in it.
"""

from __future__ import annotations

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

# Slack docs: authentication/verifying-requests, using-socket-mode, and GovSlack's own domain.
DOMAINS = ("slack.com", "slack-gov.com")


class NotAllowed(aiohttp.ClientError):
    """The bot has no business there."""


def open_session(*named: str) -> aiohttp.ClientSession:
    """A session that reaches Slack over TLS, and the hosts of the `named` addresses. Nothing is read from the environment."""
    places = {_place(URL(address)) for address in named if address}

    async def only_there(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if not (_is_slack(request.url) or _place(request.url) in places):
            raise NotAllowed(f"{request.url.host} is neither Slack nor named in the settings")
        return await handler(request)

    return aiohttp.ClientSession(middlewares=[only_there], trust_env=False, cookie_jar=aiohttp.DummyCookieJar())


def _is_slack(url: URL) -> bool:
    host = url.host or ""
    return url.scheme in ("https", "wss") and any(host == one or host.endswith(f".{one}") for one in DOMAINS)


def _place(url: URL) -> tuple[str | None, int | None]:
    return url.host, url.port
