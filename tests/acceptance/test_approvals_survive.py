"""Waiting for approval is a row: it survives kill -9, a restart, and a change of the schema in the middle."""

from __future__ import annotations

import asyncio
import json
import signal

import sqlalchemy as sa

from bot.domain.runs import State
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import open_world
from bot.storage import migrate
from bot.storage.tables import messages
from bot.use_cases.ports import Reading
from tests.acceptance.approvals import CARA, REVIEWS, RUN, asked, asks, furnish, offer_with_approval, shown
from tests.acceptance.processes import bot_process
from tests.acceptance.scene import ADMIN, AUDIT, BOB, OPS, RESTART, Scene, until

APPROVALS = "0002"  # the schema's revision that brought approvals


async def test_a_bot_that_is_killed_while_a_run_waits_takes_it_up_where_it_was(scene: Scene) -> None:
    await offer_with_approval(scene, asks(count=2))
    async with bot_process(scene) as process:
        await scene.alice.command(OPS, RUN)
        await asked(scene, scene.bob)
        await scene.bob.press("Approve")
        await shown(scene, scene.bob, f"<@{BOB}> approved", "1 of managers")
        await scene.told(scene.alice, f"Approved so far by <@{BOB}>")
        process.send_signal(signal.SIGKILL)
        await process.wait()
    # What it was posting at that moment is posted by another when its lease is over: what a minute does.
    await scene.world.bot.store.write(
        lambda tx: tx.connection.execute(sa.update(messages).values(held_until=None)) and None
    )
    async with bot_process(scene):
        await scene.slack.person(CARA).press("Approve")
        await scene.told(scene.alice, "is running for", f"Approved by <@{BOB}> and <@{CARA}>")
    assert scene.payloads == [{"service": "web", "env": "production"}]


async def test_a_restart_with_another_schema_loses_no_approval(
    slack: LocalSlack, datadog: LocalDatadog, database_url: str
) -> None:
    environment = {"AUDIT_CHANNEL": AUDIT, "ADMINS": ADMIN}
    async with open_world(slack, datadog, database_url, environment=environment) as world:
        scene = Scene(slack, datadog, database_url, world)
        furnish(scene)
        workflow_id = datadog.add_workflow(name="Restart", parameters=[{"name": "service", "type": "STRING"}])
        rule = {**asks(count=2), "when": {}}
        people, workflows = {"managers": {"users": [BOB, CARA]}}, {RESTART: {"id": workflow_id}}
        await world.apply(json.dumps({"version": 1, "people": people, "workflows": workflows, "rules": [rule]}))
        await scene.alice.command(OPS, f'/workflow run {RESTART} service=web --reason "the disk is full"')
        await asked(scene, scene.bob)
        await scene.bob.press("Approve")
        await shown(scene, scene.bob, f"<@{BOB}> approved")
        run = await scene.only_run(State.AWAITING_APPROVAL)
    await asyncio.to_thread(migrate.downgrade, database_url, APPROVALS)
    await asyncio.to_thread(migrate.upgrade, database_url)
    async with open_world(slack, datadog, database_url, environment=environment) as world:

        def question(tx: Reading) -> tuple[str, ...]:
            standing = tx.standing(run.id)
            return standing.approvers if standing is not None else ()

        assert await world.bot.store.read(question) == (BOB,)
        scene = Scene(slack, datadog, database_url, world)
        await slack.person(CARA).press("Approve", slack.messages(REVIEWS)[0])
        await until(lambda: _started(scene))
    assert slack.violations == []


async def _started(scene: Scene) -> bool:
    return scene.payloads == [{"service": "web"}]
