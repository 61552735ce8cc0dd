"""Where the bot connects to: Slack, Datadog's site, and what the settings name. Wherever a payload or a redirect leads."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from bot.slack.egress import NotAllowed, open_session
from tests.acceptance.scene import BOTH_DOORS, ONE_DATABASE, OPS, RESTART, Scene
from tests.acceptance.steps import offer_lasting

Connected = set[tuple[str, int]]


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Connected:
    """Every address that this process connects to by TCP."""
    seen: Connected = set()
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            seen.add((address[0], address[1]))
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return seen


@pytest.fixture
async def elsewhere() -> AsyncIterator[str]:
    """A server that the bot has no business with."""

    async def trap(_: web.Request) -> web.Response:
        return web.json_response({"ok": True, "url": "ws://127.0.0.1:9/"})

    stranger = web.Application()
    stranger.router.add_route("*", "/{path:.*}", trap)
    runner = web.AppRunner(stranger)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@ONE_DATABASE
async def test_in_a_run_from_the_form_to_its_end_only_slack_and_datadog_are_connected_to(
    connected: Connected, scene: Scene, watchful: None
) -> None:
    await offer_lasting(scene, seconds=0.1)
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})
    await scene.alice.submit()
    await scene.told(scene.alice, "*succeeded")

    own = int(scene.world.url.rpartition(":")[2])  # the local Slack calls the bot there, in this very process
    ports = {int(url.rpartition(":")[2]) for url in (scene.slack.url, scene.datadog.url)}
    seen = {port for _, port in connected}
    assert ports <= seen <= ports | {own}


@ONE_DATABASE
@BOTH_DOORS
async def test_a_redirect_leads_nowhere(scene: Scene, elsewhere: str, connected: Connected) -> None:
    port = int(elsewhere.rpartition(":")[2])

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(elsewhere + request.path)

    proxy = web.Application()
    proxy.router.add_route("*", "/{path:.*}", away)
    runner = web.AppRunner(proxy)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    async with open_session(url) as session:
        with pytest.raises(NotAllowed):
            await session.post(url + "chat.postMessage", data={"token": "xoxb-1"})
    await runner.cleanup()

    assert port not in {seen for _, seen in connected}


@pytest.mark.parametrize(
    "address",
    [
        "http://slack.com/api/",
        "https://slack.com.example.com/",
        "https://example.com/slack.com",
        "https://hooks-slack.com/commands/1",
        "https://127.0.0.1:8080/",
        "https://user@example.com/",
        "wss://slack.com.evil.example/link",
    ],
)
async def test_what_only_looks_like_slack_is_not_connected_to(address: str) -> None:
    async with open_session("https://slack.com/api/", "https://witness.example.com/heads") as session:
        with pytest.raises(NotAllowed):
            await session.get(address)


async def test_a_proxy_of_the_environment_is_not_used(
    monkeypatch: pytest.MonkeyPatch, scene: Scene, connected: Connected
) -> None:
    assert scene.world.bot.workspace.client.proxy is None
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    await scene.alice.command(OPS, f"/workflow status {RESTART}")
    await scene.told_privately(scene.alice, "You have no run")

    assert 9 not in {port for _, port in connected}
