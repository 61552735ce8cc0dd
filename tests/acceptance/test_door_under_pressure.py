"""Slow clients, floods and noise at the HTTP door: they are let go, learn nothing, and Slack is served meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.acceptance.scene import ONE_DATABASE, OPS, Scene

pytestmark = ONE_DATABASE


class Raw:
    """A connection on which anything can be said, at any pace."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def rest(self) -> bytes:
        """What is heard until the bot closes the connection."""
        async with asyncio.timeout(8):
            with contextlib.suppress(ConnectionError):
                return await self._reader.read()
            return b""


@pytest.fixture
async def raw(scene: Scene) -> AsyncIterator[Raw]:
    port = int(scene.world.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Raw(reader, writer)
    writer.close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.port.FIRST_REQUEST", 0.2)
    monkeypatch.setattr("bot.port.LINGER", 0.2)
    monkeypatch.setattr("bot.web.BODY_SECONDS", 0.2)


@pytest.mark.parametrize("said", [b"", b"POST /slack/events HTT", b"POST /slack/events HTTP/1.1\r\nHost: bot\r\nX-A: "])
async def test_whoever_does_not_come_to_the_end_of_the_headers_is_let_go(hasty: None, raw: Raw, said: bytes) -> None:
    await raw.say(said)

    assert await raw.rest() == b""


async def test_a_body_that_dribbles_is_not_waited_for(hasty: None, scene: Scene, raw: Raw) -> None:
    signed = "".join(f"{name}: {value}\r\n" for name, value in scene.slack.sign("a" * 100).items())
    head = f"POST /slack/events HTTP/1.1\r\nHost: bot\r\nContent-Type: application/json\r\nContent-Length: 100\r\n{signed}\r\n"

    await raw.say(head.encode() + b"a")

    assert (await raw.rest()).startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_breaks_off_is_no_error_of_the_bot(
    scene: Scene, raw: Raw, caplog: pytest.LogCaptureFixture
) -> None:
    signed = "".join(f"{name}: {value}\r\n" for name, value in scene.slack.sign("x").items())
    head = f"POST /slack/events HTTP/1.1\r\nHost: bot\r\nContent-Type: application/json\r\nContent-Length: 100\r\n{signed}\r\n"
    await raw.say(head.encode() + b"a")
    raw._writer.close()

    assert (await scene.alice.command(OPS, "/workflow help")).ok
    assert "unexpected error" not in caplog.text


@pytest.mark.parametrize(
    "headers",
    [b"X-A: a\r\n" * 5000, b"X-A: " + b"a" * 20_000 + b"\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"],
)
async def test_a_flood_of_headers_is_turned_away(raw: Raw, headers: bytes) -> None:
    await raw.say(b"POST /slack/events HTTP/1.1\r\nHost: bot\r\n" + headers + b"\r\n")

    assert (await raw.rest()).split(b" ")[1] == b"400"


async def test_beyond_so_many_connections_the_newest_is_closed(
    scene: Scene, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.port.CONNECTIONS", 1)
    port = int(scene.world.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /slack/events HTTP/1.1", 405),
        (b"POST /healthz HTTP/1.1", 405),
        (b"GET /.env HTTP/1.1", 404),
        (b"NONSENSE", 400),
        (b"GET /readyz HTTP/1.1\r\nExpect: \xff\xfe", 417),
    ],
)
async def test_headers_and_errors_give_nothing_away(raw: Raw, request_line: bytes, status: int) -> None:
    await raw.say(request_line + b"\r\nHost: bot\r\nConnection: close\r\n\r\n")

    head, _, body = (await raw.rest()).partition(b"\r\n\r\n")

    assert head.split(b" ")[1] == b"%d" % status
    assert len(body) < 60
    for word in (b"aiohttp", b"Python", b"workflow", b"Traceback", b".py"):
        assert word not in head + body


async def test_every_answer_tells_browsers_to_make_nothing_of_it(scene: Scene) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{scene.world.url}/readyz") as answer:
        headers = answer.headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers


async def test_slack_is_served_amid_a_thousand_requests_that_are_noise(scene: Scene) -> None:
    """10,000 a minute for some seconds: 1,000 at 167 a second."""
    url = f"{scene.world.url}/slack/events"
    answers: Counter[int] = Counter()

    async def noise(session: aiohttp.ClientSession) -> None:
        async with session.post(url, json={"type": "block_actions"}, headers={"X-Slack-Signature": "v0=1"}) as answer:
            answers[answer.status] += 1

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        acks = []
        for number in range(1000):
            group.create_task(noise(session))
            await asyncio.sleep(0.006)
            if number % 100 == 50:
                acks.append(group.create_task(scene.alice.command(OPS, "/workflow help")))

    assert answers == Counter({401: 1000})
    assert [ack.result().ok for ack in acks] == [True] * 10
