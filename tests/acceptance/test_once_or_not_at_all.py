"""A run starts at most once, whatever is pressed twice, delivered twice, killed or served by two replicas."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain.runs import State
from bot.sandbox.world import World, open_world
from bot.storage.tables import audit_posts, messages, runs
from tests.acceptance.processes import bot_process
from tests.acceptance.scene import ADMIN, AUDIT, BOTH_DOORS, OPS, RESTART, Scene, until, words


@contextlib.asynccontextmanager
async def _second_replica(scene: Scene) -> AsyncIterator[World]:
    """Another bot on the same database. Slack goes on reaching the first."""
    first = scene.slack.bot_url
    environment = {"AUDIT_CHANNEL": AUDIT, "ADMINS": ADMIN}
    async with open_world(scene.slack, scene.datadog, scene.database_url, environment=environment) as replica:
        scene.slack.bot_url = first
        yield replica


async def _let_every_lease_run_out(scene: Scene) -> None:
    """What a minute does."""
    past = datetime.now(UTC) - timedelta(seconds=1)

    def work(tx: Any) -> None:
        tx.connection.execute(sa.update(runs).where(runs.c.due.is_not(None)).values(due=past))
        for table in (messages, audit_posts):
            tx.connection.execute(sa.update(table).where(table.c.held_until.is_not(None)).values(held_until=past))

    await scene.world.bot.store.write(work)


@BOTH_DOORS
async def test_the_same_submission_delivered_several_times_at_once_starts_one_run(scene: Scene) -> None:
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})
    submission = scene.alice.submission()

    acks = await asyncio.gather(*(scene.slack.deliver("interactive", submission) for _ in range(5)))

    assert [(ack.status, ack.body) for ack in acks] == [(200, "")] * 5
    await scene.only_run(State.SUCCEEDED)
    await scene.told(scene.alice, "*succeeded after")
    assert len(scene.payloads) == 1
    assert await scene.acts() == ["requested", "launching", "launched", "ended"]


@BOTH_DOORS
async def test_the_same_command_delivered_twice_starts_one_run(scene: Scene) -> None:
    await scene.alice.command(OPS, f"/workflow run {RESTART} service=web")
    delivered = scene.slack.delivered[-1].payload

    assert (await scene.slack.deliver("command", delivered)).ok

    await scene.only_run(State.SUCCEEDED)
    await scene.told(scene.alice, "*succeeded after")
    assert len(scene.payloads) == 1


async def test_two_commands_of_the_same_words_are_two_runs(scene: Scene) -> None:
    await asyncio.gather(*(scene.alice.command(OPS, f"/workflow run {RESTART} service=web") for _ in range(2)))

    async def both() -> bool:
        return [run.state for run in await scene.runs()] == [State.SUCCEEDED] * 2

    await until(both)
    assert len(scene.payloads) == 2


async def test_a_form_submitted_again_with_other_values_is_told_that_it_has_started_a_run(scene: Scene) -> None:
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})
    await scene.slack.deliver("interactive", scene.alice.submission())  # Slack lost this answer: the form stays open
    run = await scene.only_run(State.SUCCEEDED)
    await scene.alice.fill({"Service": "api"})

    assert (await scene.alice.submit()).happened == "updated"

    assert scene.alice.view is not None
    assert run.id in words(scene.alice.view)
    assert "with other values" in words(scene.alice.view)
    assert scene.payloads == [{"service": "web", "env": "staging"}]
    assert len(await scene.runs()) == 1


async def test_a_run_whose_process_was_killed_during_the_call_becomes_unknown(scene: Scene, impatient: None) -> None:
    own_url = scene.slack.bot_url
    async with bot_process(scene) as process:
        scene.datadog.faults.execute_delay = 30
        await scene.alice.command(OPS, f"/workflow run {RESTART} service=web")
        await scene.only_run(State.LAUNCHING)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    scene.slack.bot_url = own_url
    scene.datadog.faults.clear()
    assert (await scene.only_run()).state is State.LAUNCHING

    await _let_every_lease_run_out(scene)

    await scene.told(scene.alice, "outcome unknown", "The bot was interrupted while Datadog was being called")
    run = await scene.only_run(State.UNKNOWN)
    assert run.due is not None  # Datadog is searched for it
    assert await scene.acts() == ["requested", "launching", "unknown"]
    assert scene.starts.count(200) <= 1


async def test_a_run_that_a_stopped_replica_left_ready_is_launched_by_another(scene: Scene, impatient: None) -> None:
    await scene.datadog.__aexit__()
    async with bot_process(scene) as process:
        await scene.alice.command(OPS, f"/workflow run {RESTART} service=web")
        await scene.told(scene.alice, "tries again by itself")
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await scene.datadog.__aenter__()

    await _let_every_lease_run_out(scene)

    await scene.only_run(State.SUCCEEDED)
    assert len(scene.payloads) == 1
    await scene.told(scene.alice, "*succeeded after", scene.datadog.executions[0].instance_id)


async def test_two_replicas_start_each_of_many_runs_once(scene: Scene, impatient: None) -> None:
    async with _second_replica(scene) as replica:
        urls = [scene.slack.bot_url, f"{replica.url}/slack/events"]
        for number in range(12):
            scene.slack.bot_url = urls[number % 2]
            await scene.alice.command(OPS, f"/workflow run {RESTART} service=web")
            await scene.slack.deliver("command", scene.slack.delivered[-1].payload)
            scene.slack.bot_url = urls[(number + 1) % 2]
            await scene.slack.deliver("command", scene.slack.delivered[-1].payload)

        async def all_done() -> bool:
            found = await scene.runs()
            return len(found) == 12 and all(run.state is State.SUCCEEDED for run in found)

        await until(all_done)
    assert len(scene.payloads) == 12
    records = await scene.world.bot.store.read(lambda tx: tx.records(0, 1000))
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    # A repeated command brings the trigger of the first, which may have opened a "loading" window with it.
    scene.expected_violations += [broken for broken in scene.slack.violations if "exchanged_trigger_id" in broken]


async def test_two_replicas_take_over_what_a_third_left_ready_once(scene: Scene, impatient: None) -> None:
    await scene.datadog.__aexit__()
    for _ in range(6):
        await scene.alice.command(OPS, f"/workflow run {RESTART} service=web")

    async with _second_replica(scene):
        await scene.datadog.__aenter__()
        await _let_every_lease_run_out(scene)

        async def all_done() -> bool:
            return [run.state for run in await scene.runs()] == [State.SUCCEEDED] * 6

        await until(all_done)
    assert len(scene.payloads) == 6
