"""The pool of connections to Datadog, and how much of an answer is read. It knows neither keys nor workflows."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from bot.datadog.wire import UnreadableAnswer

ANSWER_LIMIT = 10_000_000  # bytes of an answer that are read
KEEP_ALIVE = 5.0  # seconds; well below what load balancers keep, so that a POST rarely meets a connection just closed


def open_http(connect_timeout: float = 3, read_timeout: float = 20, max_connections: int = 100) -> httpx.AsyncClient:
    """One pooled client for all accounts; close it with `aclose()`. Times in seconds.

    `connect_timeout` is for one connection attempt; waiting for a free place in the pool and connecting take at most
    twice that. Nothing is read from the environment (proxies, .netrc), redirects are not followed, cookies not kept.
    """

    def session() -> aiohttp.ClientSession:
        # Made at the first request, inside the event loop.
        connector = aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=KEEP_ALIVE, ssl=transport.ssl_context)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)

    transport = AiohttpTransport(client=session, trust_env=False)
    return httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(read_timeout, connect=connect_timeout, pool=2 * connect_timeout),
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": "workflow-bot"},
    )


def surely_not_sent(error: Exception) -> bool:
    """Whether a failed request never left this machine, because no connection came about.

    The transport's own exceptions can't tell: it turns every lost connection, also one lost after the request was
    written, into `httpx.ConnectTimeout`. What aiohttp raised is kept as the cause.
    """
    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientError | OSError | TimeoutError):
        return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


async def read_body(response: httpx.Response) -> bytes:
    """The answer's body. Raises UnreadableAnswer where it is longer than ANSWER_LIMIT."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise UnreadableAnswer("The answer is too long.")
    return bytes(body)
