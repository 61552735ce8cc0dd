"""A run whose answer was lost: never sent again, searched for, found only where nothing else can be meant."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.domain.runs import Run, State
from bot.sandbox.world import world_environment
from tests.acceptance.scene import ALICE, BOTH_DOORS, ONE_DATABASE, OPS, Scene, until, words
from tests.acceptance.steps import RUN, is_running, live, offer_lasting, replies
from tests.integration.command_line import Ended, command


@pytest.fixture
def searching(watchful: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot begins to search after moments, and does not give up while the test lasts."""
    monkeypatch.setattr("bot.use_cases.pace.SEARCHES", (0.7, *[0.3] * 100))


@BOTH_DOORS
async def test_a_lost_run_is_told_found_and_followed_to_its_end(scene: Scene, searching: None) -> None:
    await offer_lasting(scene, outputs={"pods": 6})
    scene.datadog.faults.fail_after_accept = "drop"

    await scene.alice.command(OPS, RUN)

    told = await scene.told(scene.alice, "*unknown outcome*")
    assert "The request was sent and its answer was lost" in told
    assert "*may or may not be running*" in told
    assert "The bot searches Datadog for it and will not send it again" in told
    assert "wait before you ask anew" in told
    await scene.told(scene.alice, "is running for", scene.datadog.executions[0].instance_id)
    scene.datadog.let_pass(60)
    await scene.told(scene.alice, "*succeeded after", '{"pods": 6}')
    assert len(scene.payloads) == 1
    assert await scene.acts() == ["requested", "launching", "unknown", "resolved", "ended"]
    resolved = (await scene.records())[3]
    assert resolved["instance"] == scene.datadog.executions[0].instance_id
    assert "only instance" in resolved["how"]


async def test_the_requester_is_told_of_the_loss_and_of_the_end(scene: Scene, searching: None) -> None:
    await offer_lasting(scene)
    scene.datadog.faults.fail_after_accept = "500"

    await scene.alice.command(OPS, RUN)

    async def lost() -> bool:
        return any("has an unknown outcome; the message above says what to do" in words(m) for m in replies(scene))

    async def ended() -> bool:
        return any("succeeded after" in words(m) for m in replies(scene))

    await until(lost)
    await is_running(scene)
    scene.datadog.let_pass(60)
    await until(ended)
    assert all(words(m).count(f"<@{ALICE}>") == 1 for m in replies(scene))
    assert len(replies(scene)) == 2


async def test_two_lost_runs_of_one_workflow_are_not_guessed(scene: Scene, searching: None) -> None:
    await offer_lasting(scene)
    scene.datadog.faults.fail_after_accept = "drop"

    await asyncio.gather(scene.alice.command(OPS, RUN), scene.alice.command(OPS, f"{RUN} env=production"))

    await scene.told(scene.alice, "*unknown outcome*", "Datadog has 2 instance(s) that may be it, and 2 run(s)")
    await asyncio.sleep(1)
    assert [run.state for run in await scene.runs()] == [State.UNKNOWN] * 2
    assert [run.instance_id for run in await scene.runs()] == [None] * 2
    assert len(scene.payloads) == 2


async def test_where_nothing_is_found_the_run_stays_unknown_and_says_what_can_be_done(
    scene: Scene, watchful: None
) -> None:
    await offer_lasting(scene)
    scene.datadog.faults.status, scene.datadog.faults.on, scene.datadog.faults.times = 500, "execute", 1

    await scene.alice.command(OPS, RUN)

    told = await scene.told(scene.alice, "*unknown outcome*", "The bot has stopped searching")
    run = await scene.only_run(State.UNKNOWN)
    assert "*may or may not be running*" in told
    assert "Datadog lists no instance that may be it." in told
    assert "will not send it again" in told
    assert "Look in Datadog whether it runs before you ask anew" in told
    assert f"workflow-bot runs resolve {run.id}" in told
    assert run.due is None
    assert scene.starts == [500]


@ONE_DATABASE
async def test_an_instance_that_somebody_else_started_is_not_taken_for_it(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)  # its instance is in the list, and belongs to a run
    await scene.told(scene.alice, "is running for")
    scene.datadog.faults.status, scene.datadog.faults.on, scene.datadog.faults.times = 500, "execute", 1

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "*unknown outcome*", "The bot has stopped searching")
    assert sorted(run.state for run in await scene.runs()) == [State.RUNNING, State.UNKNOWN]


@ONE_DATABASE
async def test_a_search_that_datadog_refuses_is_made_again(scene: Scene, searching: None) -> None:
    await offer_lasting(scene)
    faults = scene.datadog.faults
    faults.fail_after_accept = "drop"
    faults.status, faults.on = 503, "list_instances"

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "*unknown outcome*", "Datadog could not be searched for it")
    faults.clear()
    await scene.told(scene.alice, "is running for")
    await scene.only_run(State.RUNNING)


@ONE_DATABASE
async def test_cancelling_a_run_that_nobody_knows_of_says_so(scene: Scene, watchful: None) -> None:
    run = await _given_up(scene)

    await scene.alice.command(OPS, f"/workflow cancel {run.id}")

    await scene.told_privately(scene.alice, "Nobody knows yet whether", run.id)


async def test_resolved_by_hand_as_running_it_is_followed_to_its_end(
    scene: Scene, watchful: None, tmp_path: Path
) -> None:
    run = await _given_up(scene, seconds=2.0)
    instance = await _start_by_hand(scene)

    ended = await _resolve(scene, tmp_path, run, "--instance", instance)

    assert ended.code == 0, ended.words
    await scene.told(scene.alice, "*succeeded after", instance)
    resolved = next(record for record in await scene.records() if record["act"] == "resolved")
    assert (resolved["instance"], resolved["how"], bool(resolved["actor"]["name"])) == (instance, "by hand", True)

    async def told() -> bool:
        return any("succeeded after" in words(m) and f"<@{ALICE}>" in words(m) for m in replies(scene))

    await until(told)


async def test_resolved_by_hand_as_not_started_the_requester_is_told(
    scene: Scene, watchful: None, tmp_path: Path
) -> None:
    run = await _given_up(scene)

    ended = await _resolve(scene, tmp_path, run, "--not-started")

    assert ended.code == 0, ended.words
    await scene.told(scene.alice, "was *not started* for", "looked in Datadog: it was never started")
    assert "Run again" in words(live(scene))

    async def told() -> bool:
        return any("was not started" in words(m) and f"<@{ALICE}>" in words(m) for m in replies(scene))

    await until(told)
    await scene.only_run(State.NOT_STARTED)
    again = await _resolve(scene, tmp_path, run, "--not-started")
    assert again.code == 1
    assert "only an unknown run can be resolved" in again.words


@ONE_DATABASE
async def test_an_instance_of_another_run_is_not_taken_by_hand_either(
    scene: Scene, watchful: None, tmp_path: Path
) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    await scene.told(scene.alice, "is running for")
    scene.datadog.faults.status, scene.datadog.faults.on, scene.datadog.faults.times = 500, "execute", 1
    await scene.alice.command(OPS, RUN)
    await scene.told(scene.alice, "The bot has stopped searching")
    lost = next(run for run in await scene.runs() if run.state is State.UNKNOWN)

    ended = await _resolve(scene, tmp_path, lost, "--instance", scene.datadog.executions[0].instance_id)

    assert ended.code == 1
    assert "belongs to another run" in ended.words


@ONE_DATABASE
async def test_a_secret_of_a_lost_run_is_hidden_in_the_outputs_after_it_was_found_by_hand(
    scene: Scene, watchful: None, tmp_path: Path
) -> None:
    secret = "hunter2-correct-horse"
    token = {"name": "token", "type": "STRING", "label": "Token"}
    await offer_lasting(
        scene,
        seconds=1.0,
        parameters=[token],
        inputs={"token": {"secret": True}},
        outputs={"used": f"token {secret}"},
    )
    scene.datadog.faults.status, scene.datadog.faults.on, scene.datadog.faults.times = 500, "execute", 1
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Token": secret})
    await scene.alice.submit()
    await scene.told(scene.alice, "The bot has stopped searching")
    run = await scene.only_run(State.UNKNOWN)
    instance = await _start_by_hand(scene, token=secret)

    await _resolve(scene, tmp_path, run, "--instance", instance)

    told = await scene.told(scene.alice, "*succeeded after")
    assert secret not in told
    assert "(secret)" in told
    assert (await scene.only_run()).sealed is None


async def _given_up(scene: Scene, seconds: float = 60.0) -> Run:
    """A run whose start Datadog answered with 500 before anything happened, and which the bot has searched in vain."""
    await offer_lasting(scene, seconds=seconds)
    scene.datadog.faults.status, scene.datadog.faults.on, scene.datadog.faults.times = 500, "execute", 1
    await scene.alice.command(OPS, RUN)
    await scene.told(scene.alice, "The bot has stopped searching")
    return await scene.only_run(State.UNKNOWN)


async def _start_by_hand(scene: Scene, **payload: str) -> str:
    """What somebody may start in Datadog meanwhile; returns its instance id."""
    run = await scene.only_run()
    client = scene.world.bot.workspace.datadog.own()
    return await client.execute(run.datadog_id, payload or dict(run.inputs))


async def _resolve(scene: Scene, folder: Path, run: Run, *arguments: str) -> Ended:
    environment = world_environment(scene.slack, scene.datadog, scene.database_url)
    return await command(folder, "runs", "resolve", run.id, *arguments, **environment)
