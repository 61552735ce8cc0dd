"""What only a bot that serves can know: doctor, run beside it on the same database, tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import open_world, world_environment
from tests.acceptance.scene import BOTH_DOORS, OPS, Scene, until
from tests.databases import SqliteFolder
from tests.integration.command_line import command


@pytest.fixture(autouse=True)
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot says many times a second that it serves."""
    monkeypatch.setattr("bot.use_cases.pace.WORD", 0.1)


class Doctor:
    """`doctor`, with the settings of the scene's bot."""

    def __init__(self, scene: Scene, door: str, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = world_environment(scene.slack, scene.datadog, scene.database_url, door == "socket")
        self._environment |= environment

    async def says(self, check: str, state: str, words: str, *areas: str) -> None:
        """Wait until it says these words."""

        async def look() -> bool:
            rows = (await command(self._folder, "doctor", "--format", "json", *areas, **self._environment)).rows
            return any((row["check"], row["state"]) == (check, state) and words in row["found"] for row in rows)

        await until(look, timeout=30)


@pytest.fixture
def doctor(scene: Scene, door: str, tmp_path: Path, environment: dict[str, str]) -> Doctor:
    return Doctor(scene, door, tmp_path, environment)


@BOTH_DOORS
async def test_a_bot_that_serves_and_hears_slack_is_told_so(scene: Scene, door: str, doctor: Doctor) -> None:
    await doctor.says("Replicas", "ok", f"1 serve over {'Socket Mode' if door == 'socket' else 'HTTP'}", "serving")
    await scene.alice.command(OPS, "/workflow list")
    await doctor.says("SLACK_COMMAND", "ok", "/workflow, as people type it", "slack")


@pytest.mark.parametrize("environment", [{"SLACK_SIGNING_SECRET": "f" * 32}])
async def test_a_signing_secret_of_another_app_is_told_by_what_was_refused(scene: Scene, doctor: Doctor) -> None:
    await doctor.says("SLACK_SIGNING_SECRET", "ok", "whether it is this app's shows at Slack's first request", "slack")
    for _ in range(2):
        await scene.alice.command(OPS, "/workflow list")
    await doctor.says("SLACK_SIGNING_SECRET", "fail", "2 signed request(s) were refused", "slack")


async def test_noise_from_the_internet_is_not_taken_for_slack(scene: Scene, doctor: Doctor) -> None:
    async with aiohttp.ClientSession() as session:
        headers = {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=x"}
        async with session.post(f"{scene.world.url}/slack/events", data="a=b", headers=headers) as answer:
            assert answer.status == 401
    await doctor.says("SLACK_SIGNING_SECRET", "look", "doesn't look like one", "slack")  # nothing of refusals


@pytest.fixture
async def elsewhere(sqlite_folder: SqliteFolder) -> AsyncIterator[str]:
    url = sqlite_folder.migrated()
    yield url
    sqlite_folder.drop(url)


@pytest.mark.parametrize("door", ["socket"])
async def test_a_second_deployment_on_the_same_app_is_told_by_the_one_that_came_later(
    slack: LocalSlack, datadog: LocalDatadog, scene: Scene, doctor: Doctor, elsewhere: str
) -> None:
    await doctor.says("Deployments", "ok", "Slack has no other socket of this app", "serving")
    async with open_world(slack, datadog, elsewhere, socket_mode=True):
        other = Doctor(Scene(slack, datadog, elsewhere, scene.world), "socket", Path.cwd(), {})
        await other.says("Deployments", "fail", "Slack has 1 more socket(s) of this app", "serving")
