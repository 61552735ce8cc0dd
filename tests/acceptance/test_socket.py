"""Socket Mode, when the socket misbehaves: it is noticed, told at /readyz, and a new one is opened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import open_world
from tests.acceptance.scene import ONE_DATABASE, OPS, Json, Scene, until

pytestmark = [ONE_DATABASE, pytest.mark.usefixtures("hasty")]


@pytest.fixture
def door() -> str:
    return "socket"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes the bot seconds, takes it moments."""
    monkeypatch.setattr("bot.readiness.LASTS", 0.0)
    for name, seconds in {"PING": 0.2, "OPEN_LIMIT": 0.3, "SHORTEST_PAUSE": 0.02, "LONGEST_PAUSE": 0.1}.items():
        monkeypatch.setattr(f"bot.slack.socket.{name}", seconds)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def answers(scene: Scene) -> None:
    """Wait until a command is answered over a socket."""

    async def ask() -> bool:
        return bool((await scene.alice.command(OPS, "/workflow help")).ok)

    scene.slack.delivery.ack_seconds = 0.5
    await until(ask)
    scene.slack.slow_answers.clear()


async def readyz(scene: Scene, session: aiohttp.ClientSession) -> tuple[int, Json]:
    async with session.get(f"{scene.world.url}/readyz") as answer:
        return answer.status, await answer.json()


async def told(scene: Scene, session: aiohttp.ClientSession, words: str) -> None:
    """Wait until /readyz says this."""

    async def look() -> bool:
        status, body = await readyz(scene, session)
        return status == 503 and words in str(body)

    await until(look)


async def test_a_socket_that_falls_silent_without_closing_is_replaced(scene: Scene) -> None:
    await answers(scene)
    scene.slack.sockets.silent = True

    await until(lambda: asyncio.sleep(0, scene.slack.sockets.opened > 1))
    scene.slack.sockets.silent = False

    await answers(scene)


async def test_a_socket_whose_first_word_is_a_request_is_as_good_as_one_that_said_hello(scene: Scene) -> None:
    scene.slack.sockets.says_hello = False
    await scene.slack.sockets.close()

    await answers(scene)


async def test_a_socket_that_never_says_hello_is_none(scene: Scene, session: aiohttp.ClientSession) -> None:
    scene.slack.sockets.says_hello = False
    await scene.slack.sockets.close()

    await told(scene, session, "Slack can't be reached by socket")
    scene.slack.sockets.says_hello = True

    await answers(scene)
    assert (await readyz(scene, session))[0] == 200


async def test_after_sockets_that_are_closed_at_once_one_that_stays_is_found(scene: Scene) -> None:
    scene.slack.sockets.hangs_up = True
    await scene.slack.sockets.close()

    await until(lambda: asyncio.sleep(0, scene.slack.sockets.opened > 4))
    scene.slack.sockets.hangs_up = False

    await answers(scene)


@pytest.mark.parametrize("error", ["ratelimited", "invalid_auth", "internal_error", "not_allowed_token_type"])
async def test_where_slack_gives_out_no_socket_it_is_asked_again(
    scene: Scene, session: aiohttp.ClientSession, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene.slack.faults.fail("apps.connections.open", error, retry_after=1 if error == "ratelimited" else None)
    await scene.slack.sockets.close()

    await told(scene, session, "Slack")
    scene.slack.faults.clear()

    await answers(scene)
    assert "Traceback" not in caplog.text


async def test_a_lost_answer_about_a_socket_is_asked_for_again(scene: Scene) -> None:
    scene.slack.faults.drop("apps.connections.open", times=3)
    await scene.slack.sockets.close()

    await answers(scene)


async def test_socket_mode_switched_off_is_told_and_switched_on_again_noticed(
    scene: Scene, session: aiohttp.ClientSession
) -> None:
    scene.slack.faults.fail("apps.connections.open", "fatal_error")
    await scene.slack.sockets.disconnect("link_disabled")

    await told(scene, session, "Slack gives out no socket")
    scene.slack.faults.clear()

    await answers(scene)


@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "too_many_websockets", "a reason of the future"])
async def test_a_socket_that_slack_takes_back_has_a_successor(scene: Scene, reason: str) -> None:
    await scene.slack.sockets.disconnect(reason)

    await answers(scene)
    assert scene.slack.sockets.opened == 2


async def test_what_is_under_way_is_answered_though_slack_takes_the_socket_back(scene: Scene) -> None:
    scene.slack.faults.delay = 0.3  # in the answer to who Alice is
    asking = asyncio.create_task(scene.alice.command(OPS, "/workflow run nothing"))
    await asyncio.sleep(0.05)
    await scene.slack.sockets.disconnect("warning")

    assert (await asking).ok


async def test_a_socket_older_than_slack_lets_one_be_is_taken_for_deaf(
    monkeypatch: pytest.MonkeyPatch, slack: LocalSlack, datadog: LocalDatadog, database_url: str
) -> None:
    monkeypatch.setattr("bot.slack.socket.MARGIN", -3599.9)  # Slack says 3600 s in its hello
    async with open_world(slack, datadog, database_url, socket_mode=True):
        await until(lambda: asyncio.sleep(0, slack.sockets.opened > 2))


async def test_messages_that_are_none_of_slacks_are_left_aside(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    for text in ("", "[]", "{", "null", '{"type": 7}', '{"envelope_id": "x"}', '{"envelope_id": "x", "payload": [1]}'):
        await scene.slack.sockets.say(text)

    await answers(scene)
    assert scene.slack.sockets.opened == 1
    assert "Traceback" not in caplog.text


async def test_a_bot_that_stops_closes_its_socket(slack: LocalSlack, datadog: LocalDatadog, database_url: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(open_world(slack, datadog, database_url, socket_mode=True))
        await until(lambda: asyncio.sleep(0, slack.sockets.is_open))

    assert slack.sockets.connection_count == 0
