from __future__ import annotations

import asyncio

import aiohttp
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey

from bot.datadog.connections import KEEP_ALIVE, open_http, surely_not_sent

KEY = ConnectionKey("host", 443, True, True, None, None, None)


def caused(error: Exception, cause: BaseException | None) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        caused(httpx.ConnectTimeout(""), aiohttp.ClientConnectorError(KEY, OSError(111, "refused"))),
        caused(httpx.ConnectTimeout(""), aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "no such host"))),
        caused(httpx.ConnectTimeout(""), aiohttp.ConnectionTimeoutError()),
        httpx.ConnectError(""),
        httpx.PoolTimeout(""),
    ],
)
def test_without_a_connection_nothing_was_sent(error: Exception) -> None:
    assert surely_not_sent(error)


@pytest.mark.parametrize(
    "error",
    [
        # What the transport makes of connections lost after the request was written, misleading as it is.
        caused(httpx.ConnectTimeout(""), aiohttp.ServerDisconnectedError()),
        caused(httpx.ConnectTimeout(""), aiohttp.ClientOSError(104, "reset by peer")),
        caused(httpx.ConnectTimeout(""), aiohttp.ClientConnectionResetError()),
        caused(httpx.ReadTimeout(""), aiohttp.SocketTimeoutError()),
        caused(httpx.ReadError(""), aiohttp.ClientPayloadError()),
        caused(TimeoutError(), asyncio.CancelledError()),
        httpx.ReadTimeout(""),
        httpx.RemoteProtocolError(""),
        OSError(),
    ],
)
def test_with_a_connection_it_may_have_been_sent(error: Exception) -> None:
    assert not surely_not_sent(error)


async def test_the_pool_follows_no_redirect_and_no_environment() -> None:
    async with open_http(connect_timeout=1, read_timeout=2) as http:
        assert not http.follow_redirects
        assert not http.trust_env
        assert http.timeout == httpx.Timeout(2, connect=1, pool=2)
        assert KEEP_ALIVE < 60  # a load balancer's usual patience
