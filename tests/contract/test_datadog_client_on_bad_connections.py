"""The client against servers that break HTTP or the connection: what is unknown, and how often anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from bot.datadog.client import Datadog
from bot.datadog.connections import open_http
from bot.datadog.credentials import Credentials
from bot.datadog.sites import Site
from bot.domain.errors import DatadogRefused, DatadogUnreachable, OutcomeUnknown

Reply = Callable[[asyncio.StreamWriter, int], Awaitable[bool]]
STARTED = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{"data":{"id":"i-1"}}'


@asynccontextmanager
async def raw_server(reply: Reply) -> AsyncIterator[tuple[str, list[str]]]:
    """Yield its address and the request lines seen. `reply` gets how many came before on the connection."""
    lines: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        on_this_connection = 0
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [
                    line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
                ]
                await reader.readexactly(int(length[0]) if length else 0)
                lines.append(head.split(b"\r\n")[0].decode())
                if not await reply(writer, on_this_connection):
                    break
                on_this_connection += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", lines


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with open_http() as client:
        yield client


def client_for(url: str, http: httpx.AsyncClient, **options: Any) -> Datadog:
    return Datadog(Credentials("api-key", "app-key"), url, http, Site("datadoghq.com", url, url), **options)


async def test_a_start_on_a_connection_that_just_died_is_unknown_and_sent_once(http: httpx.AsyncClient) -> None:
    async def second_dies(writer: asyncio.StreamWriter, before: int) -> bool:
        if before == 0:
            writer.write(STARTED)
        return before == 0

    async with raw_server(second_dies) as (url, lines):
        client = client_for(url, http)
        assert await client.execute("w-1", {}) == "i-1"
        with pytest.raises(OutcomeUnknown):
            await client.execute("w-1", {})
        assert len(lines) == 2


async def test_only_the_method_keeps_the_http_library_from_sending_again(http: httpx.AsyncClient) -> None:
    """The test above means something: in the same situation aiohttp does repeat a GET, on a new connection."""

    async def second_dies(writer: asyncio.StreamWriter, before: int) -> bool:
        if before == 0:
            writer.write(STARTED)
        return before == 0

    async with raw_server(second_dies) as (url, lines):
        client = client_for(url, http)
        for _ in range(2):
            assert (await client.get_instance("w-1", "i-1")).id == "i-1"
        assert len(lines) == 3


async def test_a_connection_closed_while_idle_is_replaced_without_a_false_unknown(http: httpx.AsyncClient) -> None:
    async def one_each(writer: asyncio.StreamWriter, _: int) -> bool:
        writer.write(STARTED)
        await writer.drain()
        return False

    async with raw_server(one_each) as (url, lines):
        client = client_for(url, http)
        for _ in range(3):
            assert await client.execute("w-1", {}) == "i-1"
            await asyncio.sleep(0.05)
        assert len(lines) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"NONSENSE\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
    ],
)
async def test_a_broken_answer_is_unknown_for_a_start(http: httpx.AsyncClient, answer: bytes) -> None:
    async def broken(writer: asyncio.StreamWriter, _: int) -> bool:
        writer.write(answer)
        return False

    async with raw_server(broken) as (url, lines):
        with pytest.raises(OutcomeUnknown):
            await client_for(url, http).execute("w-1", {})
        assert len(lines) == 1
        with pytest.raises(DatadogUnreachable):
            await client_for(url, http).list_workflows()


async def test_a_refusal_whose_body_is_cut_short_is_still_a_refusal(http: httpx.AsyncClient) -> None:
    async def cut(writer: asyncio.StreamWriter, _: int) -> bool:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 500\r\n\r\n{")
        return False

    async with raw_server(cut) as (url, _):
        with pytest.raises(DatadogRefused, match="gave no reason"):
            await client_for(url, http).execute("w-1", {})


async def test_a_trickling_answer_ends_with_the_total_time(http: httpx.AsyncClient) -> None:
    async def trickle(writer: asyncio.StreamWriter, _: int) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)
        return False

    async with raw_server(trickle) as (url, _):
        with pytest.raises(OutcomeUnknown, match="did not answer in time"):
            await client_for(url, http, total_timeout=0.2).execute("w-1", {})


async def test_a_silent_server_ends_with_the_read_timeout() -> None:
    async def silent(writer: asyncio.StreamWriter, _: int) -> bool:
        await asyncio.sleep(0.5)
        return False

    async with open_http(read_timeout=0.1) as http, raw_server(silent) as (url, _):
        with pytest.raises(OutcomeUnknown, match="did not answer in time"):
            await client_for(url, http).execute("w-1", {})
        with pytest.raises(DatadogUnreachable, match="did not answer in time"):
            await client_for(url, http).get_workflow("w-1")


async def test_cookies_are_neither_kept_nor_sent(http: httpx.AsyncClient) -> None:
    async def bake(writer: asyncio.StreamWriter, _: int) -> bool:
        writer.write(STARTED.replace(b"OK\r\n", b"OK\r\nSet-Cookie: a=b; Path=/\r\n"))
        return True

    async with raw_server(bake) as (url, _):
        await client_for(url, http).execute("w-1", {})
        assert list(http.cookies.jar) == []


async def test_an_id_can_not_leave_its_place_in_the_path(http: httpx.AsyncClient) -> None:
    async def started(writer: asyncio.StreamWriter, _: int) -> bool:
        writer.write(STARTED)
        return True

    async with raw_server(started) as (url, lines):
        client = client_for(url, http)
        for strange in (
            "../../v1/validate",
            "a/b",
            "..%2f..",
            "%2e%2e",
            "a?b=c",
            "a#b",
            "a b",
            "a\r\nX: y",
            "ü",
            "a;b",
            ".. ",
        ):
            await client.execute(strange, {})
            target = lines[-1].split(" ")[1]
            assert target.startswith("/api/v2/workflows/")
            assert target.endswith("/instances")
            assert target.count("/") == 5
            assert not set("?#") & set(target)
            assert len(lines[-1].split(" ")) == 3
        sent = len(lines)
        for dots in ("", ".", "..", "..."):
            with pytest.raises(DatadogRefused, match="Nothing was sent"):
                await client.execute(dots, {})
            with pytest.raises(DatadogRefused, match="Nothing was sent"):
                await client.get_instance("w-1", dots)
        assert len(lines) == sent
