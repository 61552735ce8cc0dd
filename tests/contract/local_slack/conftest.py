"""One local Slack per test, with two people and two channels, a real slack_sdk client, and bots to put behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import LocalSlack, Person

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[None]]


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    async with LocalSlack(signing_secret="shared-secret") as local:
        local.add_person(id="U01ALICE", name="Alice")
        local.add_person(id="U02BOB", name="Bob")
        local.add_channel(id="C01OPS", name="ops")
        local.add_channel(id="C02SEC", name="secret", is_private=True, bot_is_member=False)
        yield local


@pytest.fixture
def alice(slack: LocalSlack) -> Person:
    return slack.person("U01ALICE")


@pytest.fixture
def client(slack: LocalSlack) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)


@pytest.fixture
async def serve(slack: LocalSlack) -> AsyncIterator[Serve]:
    """Put a bare HTTP handler behind the local Slack as its bot."""
    runners: list[web.AppRunner] = []

    async def start(handler: Handler) -> None:
        app = web.Application()
        app.router.add_post("/slack/events", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        slack.bot_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"

    yield start
    for runner in runners:
        await runner.cleanup()
