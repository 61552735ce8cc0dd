from __future__ import annotations

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from bot.datadog.connections import KEEP_ALIVE, open_http, surely_not_sent

KEY = ConnectionKey("host", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ClientConnectorError(KEY, OSError(111, "refused")),
        aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "no such host")),
        aiohttp.ClientConnectorSSLError(KEY, OSError(1, "handshake")),
        aiohttp.ConnectionTimeoutError(),
    ],
)
def test_without_a_connection_nothing_was_sent(error: Exception) -> None:
    assert surely_not_sent(error)


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientOSError(104, "reset by peer"),
        aiohttp.ClientConnectionResetError(),
        aiohttp.SocketTimeoutError(),
        aiohttp.ClientPayloadError(),
        TimeoutError(),
        OSError(),
    ],
)
def test_with_a_connection_it_may_have_been_sent(error: Exception) -> None:
    assert not surely_not_sent(error)


async def test_the_pool_reads_no_environment_and_waits_no_longer_than_it_says() -> None:
    async with open_http(connect_timeout=1, read_timeout=2) as http:
        assert not http.trust_env
        assert http.timeout == aiohttp.ClientTimeout(total=None, connect=2, sock_connect=1, sock_read=2)
        assert KEEP_ALIVE < 60  # a load balancer's usual patience
