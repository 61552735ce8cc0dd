"""A run is followed to its end in one live message, whatever Datadog and Slack do meanwhile."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.runs import State
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import open_world, world_environment
from tests.acceptance.scene import ADMIN, ALICE, AUDIT, BOTH_DOORS, ONE_DATABASE, OPS, Scene, until, words
from tests.acceptance.steps import RUN, is_running, live, looks, offer_lasting, replies, reply, updates, versions
from tests.integration.command_line import command

SECRET = "hunter2-correct-horse"
STEPS = ("Drain traffic", "Restart pods")


@BOTH_DOORS
async def test_the_live_message_shows_each_step_as_it_happens_and_the_time_it_took(
    scene: Scene, watchful: None
) -> None:
    await offer_lasting(scene, seconds=60, steps=STEPS)
    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "is running for", ":arrow_forward: Drain traffic")
    message = live(scene)
    assert "Restart pods" not in words(message)
    await asyncio.sleep(1)  # shorter ones are shown without their time
    scene.datadog.let_pass(60)
    shown = await scene.told(scene.alice, ":white_check_mark: Drain traffic", ":arrow_forward: Restart pods")
    assert re.search(r"Drain traffic  _\d+ s_", shown)
    scene.datadog.let_pass(60)
    await scene.told(scene.alice, "*succeeded after 2 min*", ":white_check_mark: Restart pods")

    assert live(scene)["ts"] == message["ts"]


async def test_the_end_is_told_with_the_outputs_and_the_requester_mentioned_once_in_the_thread(
    scene: Scene, watchful: None
) -> None:
    await offer_lasting(scene, seconds=0.3, outputs={"restarted_pods": 6})

    await scene.alice.command(OPS, RUN)

    told = words(await reply(scene))
    assert told.count(f"<@{ALICE}>") == 1
    assert "*Restart a service* succeeded after" in told
    assert '"restarted_pods": 6' in told
    assert '{"restarted_pods": 6}' in await scene.told(scene.alice, "*succeeded after")
    assert replies(scene)[0]["thread_ts"] == live(scene)["ts"]
    run = await scene.only_run(State.SUCCEEDED)
    assert run.outputs == {"restarted_pods": 6}
    assert await scene.acts() == ["requested", "launching", "launched", "ended"]
    assert (await scene.records())[-1]["state"] == "succeeded"


@ONE_DATABASE
async def test_large_outputs_are_short_in_the_message_and_a_whole_file_in_the_thread(
    scene: Scene, watchful: None
) -> None:
    outputs = {"lines": [f"host-{number} restarted" for number in range(500)]}
    await offer_lasting(scene, seconds=0.2, outputs=outputs)

    await scene.alice.command(OPS, RUN)

    (file,) = (await reply(scene))["files"]
    assert json.loads(scene.slack.workspace.files[file["id"]]["content"]) == outputs
    shown = await scene.told(scene.alice, "*succeeded after")
    assert "host-0 restarted" in shown
    assert "host-499" not in shown
    assert words(replies(scene)[0]).count(f"<@{ALICE}>") == 1


@ONE_DATABASE
async def test_outputs_can_neither_ping_nor_end_their_block(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene, seconds=0.2, outputs={"said": f"<!channel> ``` <@{ADMIN}>"})

    await scene.alice.command(OPS, RUN)

    told = words(await reply(scene))
    for shown in (told, await scene.told(scene.alice, "*succeeded after")):
        assert "<!channel>" not in shown
        assert f"<@{ADMIN}>" not in shown
    assert told.count("```") == 2


@ONE_DATABASE
async def test_a_state_that_the_bot_does_not_know_is_shown_as_datadog_words_it(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene)
    scene.datadog.faults.kind = "QUEUED"

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "is running for", "Datadog calls its state `Queued`")
    scene.datadog.faults.clear()
    scene.datadog.let_pass(60)
    await scene.told(scene.alice, "*succeeded after")


async def test_an_end_that_the_bot_does_not_know_is_never_success(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene, seconds=0.2, outcome="TIMED_OUT")

    await scene.alice.command(OPS, RUN)

    told = await scene.told(scene.alice, "*failed after", "Datadog says `Timed_out`")
    assert "succeeded" not in told
    await scene.only_run(State.FAILED)


@ONE_DATABASE
async def test_a_state_that_stays_unfamiliar_is_left_to_people(
    scene: Scene, watchful: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.use_cases.pace.UNFAMILIAR", timedelta(seconds=0.5))
    await offer_lasting(scene)
    scene.datadog.faults.kind = "PAUSED"

    await scene.alice.command(OPS, RUN)

    told = await scene.told(scene.alice, "*unknown outcome*", "Datadog calls its state “Paused”")
    assert "*was started*" in told


@ONE_DATABASE
async def test_an_instance_that_is_not_visible_yet_is_no_trouble(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene, seconds=0.6)
    scene.datadog.faults.invisible_gets = 4

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "*succeeded after")
    assert looks(scene) >= 5
    assert not [shown for shown in versions(scene) if "can't see" in shown or "not found" in shown]


@ONE_DATABASE
async def test_an_instance_that_datadog_has_lost_is_left_to_people(
    scene: Scene, watchful: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.use_cases.pace.NOT_VISIBLE_YET", timedelta(seconds=0.2))
    monkeypatch.setattr("bot.use_cases.pace.GONE", timedelta(seconds=0.5))
    await offer_lasting(scene)
    scene.datadog.faults.invisible_gets = 1000

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "*unknown outcome*", "Datadog does not know this instance any more", "*was started*")


async def test_a_failure_is_told_with_what_datadog_says_about_it(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene, seconds=0.3, steps=STEPS, outcome="STEP_ERROR")

    await scene.alice.command(OPS, RUN)

    told = words(await reply(scene))
    assert "failed after" in told
    assert "Step Restart pods failed" in told
    shown = await scene.told(scene.alice, "*failed after", ":x: Restart pods", "Step Restart pods failed")
    assert "Datadog says `Step error`" in shown
    assert (await scene.records())[-1]["error"] == "Step Restart pods failed"


@pytest.mark.parametrize("kind", ["SUCCEEDED", "STEP_ERROR"])
@ONE_DATABASE
async def test_a_secret_that_comes_back_in_outputs_or_in_an_error_is_hidden(
    scene: Scene, watchful: None, kind: str
) -> None:
    token = {"name": "token", "type": "STRING", "label": "Token"}
    await offer_lasting(scene, parameters=[token], inputs={"token": {"secret": True}})
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Token": SECRET})
    await scene.alice.submit()
    run = await is_running(scene)
    assert run.sealed

    _answer_looks(scene, kind, outputs={"used": [f"token {SECRET}!"]}, errorDetail=f"{SECRET} has expired")

    told = words(await reply(scene))
    assert "(secret)" in told
    run = await scene.only_run()
    assert run.sealed is None
    assert SECRET not in told + str(run) + json.dumps(scene.slack.messages(OPS)) + json.dumps(await scene.records())


@ONE_DATABASE
async def test_datadog_away_for_a_moment_is_not_told(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene, seconds=1.0)
    scene.datadog.faults.status, scene.datadog.faults.on, scene.datadog.faults.times = 503, "get_instance", 2

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "*succeeded after")
    assert not [shown for shown in versions(scene) if "can't see" in shown]


async def test_datadog_away_for_longer_is_told_and_then_the_run_goes_on(
    scene: Scene, watchful: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.use_cases.follow_run.SILENT", timedelta(0))
    monkeypatch.setattr("bot.use_cases.pace.LONGEST_LOOK", 0.3)
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    await is_running(scene)

    await scene.datadog.__aexit__()
    told = await scene.told(scene.alice, "The bot can't see how it goes at the moment, and keeps looking.")
    assert "is running for" in told
    before = updates(scene)
    await asyncio.sleep(1)
    assert updates(scene) == before
    await scene.datadog.__aenter__()
    scene.datadog.let_pass(60)

    shown = await scene.told(scene.alice, "*succeeded after")
    assert "can't see" not in shown
    assert len(scene.payloads) == 1


@ONE_DATABASE
async def test_where_datadog_limits_looks_the_bot_waits_as_long_as_it_is_told(
    scene: Scene, watchful: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await offer_lasting(scene)
    faults = scene.datadog.faults
    faults.status, faults.on, faults.times, faults.headers = 429, "get_instance", 1, {"X-RateLimit-Reset": "2"}

    await scene.alice.command(OPS, RUN)

    async def limited() -> bool:
        return 429 in [seen.status for seen in scene.datadog.requests]

    await until(limited)
    run = await scene.only_run(State.RUNNING)
    before = looks(scene)
    await asyncio.sleep(1.2)
    assert looks(scene) == before
    assert not [shown for shown in versions(scene) if "can't see" in shown]
    scene.datadog.let_pass(60)
    await scene.told(scene.alice, "*succeeded after", run.id)


async def test_where_the_message_can_not_be_edited_any_more_the_end_is_told_in_its_thread(
    scene: Scene, watchful: None
) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    await is_running(scene)
    scene.slack.faults.fail("chat.update", "edit_window_closed")
    scene.datadog.let_pass(60)

    await scene.told(scene.alice, "*succeeded after")

    told = [words(message) for message in replies(scene)]
    assert any("*succeeded after" in shown for shown in told)


@pytest.mark.parametrize("code", ["edit_window_closed", "cant_update_message", "message_not_found"])
@ONE_DATABASE
async def test_a_word_at_the_end_comes_also_where_the_message_can_not_be_edited(
    scene: Scene, watchful: None, code: str
) -> None:
    await offer_lasting(scene, seconds=0.5)
    scene.slack.faults.fail("chat.update", code)

    await scene.alice.command(OPS, RUN)

    async def mentioned() -> bool:
        return any(words(message).startswith(f"<@{ALICE}> :white_check_mark:") for message in replies(scene))

    await until(mentioned)


@ONE_DATABASE
async def test_a_message_that_can_never_be_delivered_is_kept_and_shown_by_runs_show(
    scene: Scene, watchful: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bot.slack.announcer.GIVE_UP_AFTER", 2)
    await offer_lasting(scene, seconds=0.2)
    scene.slack.faults.fail("chat.postMessage", "channel_not_found")

    await scene.alice.command(OPS, RUN)
    run = await scene.only_run(State.SUCCEEDED)

    async def given_up() -> bool:
        messages = await scene.world.bot.store.read(lambda tx: tx.messages(run.id))
        return len(messages) == 2 and all(message.due is None for message in messages)

    await until(given_up, timeout=20)
    ended = await command(tmp_path, "runs", "show", run.id, **_environment(scene))
    assert ended.code == 0, ended.words
    assert f"message live: given up {OPS} channel_not_found" in ended.output
    assert f"message end: given up {OPS} channel_not_found" in ended.output


async def test_there_are_no_more_updates_than_changes(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene, steps=STEPS)

    await scene.alice.command(OPS, RUN)
    for step in STEPS:
        await scene.told(scene.alice, f":arrow_forward: {step}")
        before = looks(scene)

        async def looked_often(before: int = before) -> bool:
            return looks(scene) >= before + 3

        await until(looked_often)
        scene.datadog.let_pass(60)
    await reply(scene)

    # The first step, the second, the end; and the first message, where it came before the start.
    assert 1 <= updates(scene) <= 4
    shown = versions(scene)
    assert len(set(shown)) == len(shown)


@ONE_DATABASE
async def test_several_runs_in_one_channel_stay_within_slacks_limits_and_all_end(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene, seconds=0.5, steps=STEPS)
    scene.slack.rate_limits.enabled = True
    for _ in range(5):
        await scene.alice.command(OPS, RUN)

    async def all_told() -> bool:
        shown = scene.slack.messages(OPS)
        ended = [m for m in shown if not m["thread_ts"] and "*succeeded after" in words(m)]
        return len(ended) == 5 and len(replies(scene)) == 5

    await until(all_told, timeout=40)


async def test_a_restarted_bot_goes_on_following(
    slack: LocalSlack, datadog: LocalDatadog, database_url: str, watchful: None
) -> None:
    environment = {"AUDIT_CHANNEL": AUDIT, "ADMINS": ADMIN}
    async with open_world(slack, datadog, database_url, environment=environment) as world:
        scene = Scene(slack, datadog, database_url, world)
        await offer_lasting(scene, steps=STEPS)
        await scene.alice.command(OPS, RUN)
        await is_running(scene)
        before = live(scene)["ts"]
    async with open_world(slack, datadog, database_url, environment=environment) as world:
        scene = Scene(slack, datadog, database_url, world)
        datadog.let_pass(120)

        await scene.told(scene.alice, "*succeeded after")

        await reply(scene)
        assert live(scene)["ts"] == before
        assert await scene.acts() == ["requested", "launching", "launched", "ended"]
    assert slack.violations == []


@ONE_DATABASE
async def test_a_run_that_datadog_calls_running_after_7_days_is_left_to_people(
    scene: Scene, watchful: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.use_cases.pace.LONGEST_RUN", timedelta(seconds=1))
    await offer_lasting(scene)

    await scene.alice.command(OPS, RUN)

    told = await scene.told(scene.alice, "*unknown outcome*", "Datadog ends a run after 7 days")
    assert "*was started*" in told
    assert "has an unknown outcome" in words(await reply(scene))
    run = await scene.only_run(State.UNKNOWN)
    assert run.due is None
    assert (await scene.records())[-1]["act"] == "unknown"


def _answer_looks(scene: Scene, kind: str, **attributes: Any) -> None:
    """Every look at an instance finds it over, with these attributes."""
    known = {
        "instanceStatus": {"detailsKind": kind, "displayName": kind.capitalize()},
        "startTimestamp": "2026-01-01T00:00:00Z",
        "endTimestamp": "2026-01-01T00:00:01Z",
        "stepStateAssociations": [],
    }
    data = {"id": scene.datadog.executions[-1].instance_id, "type": "instances", "attributes": known | attributes}
    faults = scene.datadog.faults
    faults.status, faults.on, faults.body = 200, "get_instance", {"data": data}


def _environment(scene: Scene) -> dict[str, str]:
    return world_environment(scene.slack, scene.datadog, scene.database_url)
