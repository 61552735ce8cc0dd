"""The key of the audit chain is changed: the bot goes on with the new one, and one that has only the old one does nothing."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from bot.domain.errors import NotRecorded
from bot.domain.runs import State
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import open_world, world_environment
from tests.acceptance.scene import OPS, RESTART, Scene, until
from tests.integration.command_line import Ended, command

OLD, BOTH = {"AUDIT_KEY": "the old key"}, {"AUDIT_KEY": "the new key,the old key"}
RUN = f"/workflow run {RESTART} service=web"


async def verify(folder: Path, scene: Scene) -> Ended:
    environment = world_environment(scene.slack, scene.datadog, scene.database_url) | BOTH
    return await command(folder, "audit", "verify", "--format", "json", **environment)


async def test_a_bot_that_is_restarted_with_a_new_key_goes_on(
    slack: LocalSlack, datadog: LocalDatadog, database_url: str, tmp_path: Path
) -> None:
    async with open_world(slack, datadog, database_url, environment=OLD) as world:
        scene = Scene(slack, datadog, database_url, world)
        await scene.offer()
        await scene.alice.command(OPS, RUN)
        await scene.told(scene.alice, "*succeeded after")
        last = (await world.bot.store.read(lambda tx: tx.trail_end())).last
    async with open_world(slack, datadog, database_url, environment=BOTH) as scene.world:
        await scene.alice.command(OPS, RUN)

        async def both_succeeded() -> bool:
            return [run.state for run in await scene.runs()] == [State.SUCCEEDED] * 2

        await until(both_succeeded)
        whole = await verify(tmp_path, scene)
        assert (whole.code, whole.rows[-1]["key_since"]) == (0, last + 1), whole.output


async def test_a_bot_that_has_only_the_old_key_while_another_goes_on_with_a_new_one_runs_nothing_and_is_not_ready(
    slack: LocalSlack, datadog: LocalDatadog, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.readiness.LASTS", 0.0)
    async with open_world(slack, datadog, database_url, environment=OLD) as world, aiohttp.ClientSession() as session:
        scene = Scene(slack, datadog, database_url, world)
        await scene.offer()
        async with session.get(f"{world.url}/readyz") as answer:
            assert (answer.status, (await answer.json())["checks"]["trail"]) == (200, "ok")
        old_url = slack.bot_url
        async with open_world(slack, datadog, database_url, environment=BOTH) as scene.world:
            await scene.bob.command(OPS, RUN)  # who may not, which is recorded

            async def recorded() -> bool:
                return "denied" in await scene.acts()

            await until(recorded)
        slack.bot_url = old_url
        await scene.alice.command(OPS, RUN)
        await scene.told_privately(scene.alice, "AUDIT_KEY here is an older one")
        assert not datadog.executions
        async with session.get(f"{world.url}/readyz") as answer:
            told = await answer.json()
            assert (answer.status, told["reason"]) == (
                503,
                "AUDIT_KEY is not the one that the audit trail goes on with",
            )


async def test_a_bot_does_not_start_with_a_wrong_key_also_where_nothing_is_to_be_recorded_yet(
    slack: LocalSlack, datadog: LocalDatadog, database_url: str
) -> None:
    async with open_world(slack, datadog, database_url, environment=OLD) as world:
        await Scene(slack, datadog, database_url, world).offer()
        last = (await world.bot.store.read(lambda tx: tx.trail_end())).last
    assert last
    for wrong in ("another", "another,yet another", ""):
        with pytest.raises(NotRecorded, match="AUDIT_KEY doesn't hold the key that the audit trail was made with last"):
            async with open_world(slack, datadog, database_url, environment={"AUDIT_KEY": wrong}):
                pass
    async with open_world(slack, datadog, database_url, environment=BOTH) as world:
        assert (await world.bot.store.read(lambda tx: tx.trail_end())).last == last
