"""The pool of connections to Datadog, and how much of an answer is read. It knows neither keys nor workflows."""

from __future__ import annotations

import aiohttp

from bot.datadog.wire import UnreadableAnswer

ANSWER_LIMIT = 10_000_000  # bytes of an answer that are read
KEEP_ALIVE = 5.0  # seconds; well below what load balancers keep, so that a POST rarely meets a connection just closed


def open_http(
    connect_timeout: float = 3, read_timeout: float = 20, max_connections: int = 100
) -> aiohttp.ClientSession:
    """One pool for all accounts; close it with `close()`. Times in seconds. To be called where an event loop runs.

    `connect_timeout` is for one connection attempt; waiting for a free place in the pool and connecting take at most
    twice that. Nothing is read from the environment (proxies, .netrc), and cookies are not kept. Whether a redirect is
    followed is asked at each request.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=KEEP_ALIVE),
        timeout=aiohttp.ClientTimeout(
            connect=2 * connect_timeout, sock_connect=connect_timeout, sock_read=read_timeout
        ),
        headers={"User-Agent": "workflow-bot"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def surely_not_sent(error: Exception) -> bool:
    """Whether a failed request never left this machine, because no connection came about."""
    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """The answer's body. Raises UnreadableAnswer where it is longer than ANSWER_LIMIT."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise UnreadableAnswer("The answer is too long.")
    return bytes(body)
