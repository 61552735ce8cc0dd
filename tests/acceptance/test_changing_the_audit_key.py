"""The key of the audit chain is changed: the bot goes on with the new one, and one that has only the old one does nothing."""

from __future__ import annotations

from pathlib import Path

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


async def test_a_bot_that_is_restarted_with_a_new_key_goes_on_and_one_with_the_old_key_runs_nothing(
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
    started = len(datadog.executions)
    async with open_world(slack, datadog, database_url, environment=OLD):
        await scene.alice.command(OPS, RUN)
        await scene.told_privately(scene.alice, "AUDIT_KEY here is an older one")
    assert len(datadog.executions) == started
    assert (await verify(tmp_path, scene)).code == 0
