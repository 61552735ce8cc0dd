"""The scene of an acceptance test: the whole bot between a local Slack and a local Datadog, once on each database."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.domain.errors import NotRecorded
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack, LocalSlackApp
from bot.sandbox.world import open_world
from tests.acceptance.collector import Collector
from tests.acceptance.leaks import everything, leaks
from tests.acceptance.many import ACME, BETA, furnish
from tests.acceptance.scene import ADMIN, ALICE, AUDIT, BOB, GENERAL, OPS, Scene, until
from tests.chaos.replay import missing


@pytest.fixture
def door() -> str:
    """How Slack reaches the bot: a test that must hold for both says `@BOTH_DOORS`."""
    return "http"


@pytest.fixture
def environment() -> dict[str, str]:
    """Settings beside those of every scene; a test may bring its own by parametrising this."""
    return {}


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    async with LocalSlack() as slack:
        slack.add_person(ALICE, "Alice Moreau")
        slack.add_person(BOB, "Bob Tanaka")
        slack.add_person(ADMIN, "Ada Admin")
        slack.add_channel(OPS, "ops")
        slack.add_channel(GENERAL, "general")
        slack.add_channel(AUDIT, "audit")
        yield slack


@pytest.fixture
async def app() -> AsyncIterator[LocalSlackApp]:
    """An app that two workspaces may install, in which people and channels have the same ids."""
    async with LocalSlackApp() as app:
        furnish(app.add_workspace(ACME, "Acme"))
        furnish(app.add_workspace(BETA, "Beta"))
        yield app
        found = [one for slack in app.slacks.values() for one in slack.violations]
        assert [one for one in found if one != "auth.test: account_inactive"] == []  # whether it is, may be asked


@pytest.fixture
async def datadog() -> AsyncIterator[LocalDatadog]:
    with socket.socket() as free:  # a port of its own, so that a test can stop it and start it again
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with LocalDatadog(port) as datadog:
        yield datadog


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    """Takes traces; whoever wants the bot to send any names it in `environment`."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "30")  # ms
    async with Collector() as collector:
        yield collector


@pytest.fixture
async def scene(
    slack: LocalSlack,
    datadog: LocalDatadog,
    database_url: str,
    door: str,
    environment: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[Scene]:
    """Fails a test in which the bot did something that Slack would refuse, unless the test is about that; and every test
    after which a secret of the settings stands in anything that it has produced."""
    environment = {"AUDIT_CHANNEL": AUDIT, "ADMINS": ADMIN, **environment}
    socket_mode = door == "socket"
    async with open_world(slack, datadog, database_url, socket_mode=socket_mode, environment=environment) as world:
        scene = Scene(slack, datadog, database_url, world)
        await scene.offer()
        yield scene
        if not scene.tampered:
            await trails_are_complete(scene)
        secrets = set(world.settings.secrets()) - {database_url}
        with contextlib.suppress(sa.exc.DBAPIError):  # a test may have left its database in ruins
            assert leaks(everything(scene, caplog.text), secrets) == []
    assert slack.violations == scene.expected_violations
    assert slack.slow_answers == []


async def trails_are_complete(scene: Scene) -> None:
    """The trail alone tells where each run is: every change of its state has its record, in order."""

    async def look() -> list[str] | None:
        store = scene.world.bot.store
        if await store.read(lambda tx: tx.seals()):
            return [""]  # a part of it is in a file
        before = await store.read(lambda tx: tx.runs(1000))
        bodies = [json.loads(record.body) for record in await store.read(lambda tx: tx.records(0, 10_000))]
        if await store.read(lambda tx: tx.runs(1000)) != before:
            return None  # something goes on just now
        mine = {run.id: [body for body in bodies if body["run"] == run.id] for run in before}
        return [f"{run.id}: {found}" for run in before if (found := missing(mine[run.id], run.state))] or [""]

    with contextlib.suppress(
        NotRecorded, TimeoutError
    ):  # a test may have left its database in ruins, or runs that go on
        assert await until(look, 3) == [""]


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy with other tests, no window comes first where nothing is slow."""
    monkeypatch.setattr("bot.slack.listeners.modal.SOON", 1.3)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bot does again after seconds, it does after moments."""
    monkeypatch.setattr("bot.use_cases.pace.FIRST_WAIT", 0.1)
    monkeypatch.setattr("bot.use_cases.pace.POLL", 0.05)


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    """The bot looks at a run many times a second, and at once for a lost one."""
    monkeypatch.setattr("bot.use_cases.pace.SHORTEST_LOOK", 0.1)
    monkeypatch.setattr("bot.use_cases.pace.SETTLE", timedelta(seconds=0.05))
    monkeypatch.setattr("bot.use_cases.pace.LOOKS_PER_SECOND", 1000.0)
    monkeypatch.setattr("bot.use_cases.pace.SEARCHES", (0.2, 0.3, 0.3, 0.3))
