"""Cancelling: by those who may, confirmed by Datadog, and never a start after it."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.runs import State
from bot.sandbox.world import world_environment
from bot.use_cases.cancel_run import cancel_as
from tests.acceptance.scene import (
    ADMIN,
    ALICE,
    ALICE_IN_OPS,
    BOB,
    BOTH_DOORS,
    ONE_DATABASE,
    OPS,
    Scene,
    until,
    words,
)
from tests.acceptance.steps import RUN, is_running, live, looks, offer_lasting, replies, reply
from tests.integration.command_line import Ended, command

BOB_TOO = (ALICE_IN_OPS, {"allow": [BOB], "run": ["*"], "in": [OPS], "when": {"env": ["staging"]}})


@BOTH_DOORS
async def test_the_button_asks_first_and_the_message_shows_how_it_ends(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene, steps=("Drain traffic", "Restart pods"))
    await scene.alice.command(OPS, RUN)
    await is_running(scene)
    await scene.told(scene.alice, ":arrow_forward: Drain traffic")
    (button,) = [
        element
        for block in live(scene)["blocks"]
        for element in block.get("elements", [])
        if element.get("action_id") == "cancel_run"
    ]
    assert button["confirm"]["title"]["text"] == "Cancel this run?"
    assert button["confirm"]["deny"]["text"] == "Let it run"

    ack = await scene.alice.press("Cancel")

    assert ack.ok
    told = await scene.told(
        scene.alice, "was *cancelled after", f"Cancelled by <@{ALICE}>", ":no_entry_sign: Drain traffic"
    )
    assert "Run again" in told
    assert "Let it run" not in told
    assert re.search(rf"was cancelled after \d+ s by <@{ALICE}>", words(await reply(scene)))
    await scene.only_run(State.CANCELLED)
    assert await scene.acts() == ["requested", "launching", "launched", "cancel asked", "cancel sent", "ended"]


async def test_cancelled_is_said_only_when_datadog_shows_it(scene: Scene, watchful: None) -> None:
    scene.datadog._instance_routes._cancel_seconds = 1.5
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    await is_running(scene)
    before = looks(scene)

    await scene.alice.press("Cancel")

    await scene.told(scene.alice, "is running for", f"Cancelling, as <@{ALICE}> has asked.")
    assert (await scene.only_run()).state is State.RUNNING
    await scene.told(scene.alice, "was *cancelled after")
    assert looks(scene) > before
    assert _cancels(scene) == 1


@ONE_DATABASE
async def test_a_run_that_ends_before_the_cancellation_takes_hold_is_not_called_cancelled(
    scene: Scene, watchful: None
) -> None:
    scene.datadog._instance_routes._cancel_seconds = 1000
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    await is_running(scene)

    await scene.alice.press("Cancel")

    async def passed_on() -> bool:
        return _cancels(scene) == 1

    await until(passed_on)
    scene.datadog.let_pass(60)
    await scene.told(scene.alice, "*succeeded after")
    await scene.only_run(State.SUCCEEDED)


@pytest.mark.parametrize("by", [ALICE, ADMIN, BOB])
async def test_requester_admins_and_those_who_may_run_the_same_here_cancel_by_command(
    scene: Scene, watchful: None, by: str
) -> None:
    await offer_lasting(scene, rules=BOB_TOO)
    await scene.alice.command(OPS, RUN)
    run = await is_running(scene)

    await scene.slack.person(by).command(OPS, f"/workflow cancel {run.id.lower()}")

    await scene.told_privately(scene.slack.person(by), "Cancelling", run.id)
    await scene.told(scene.alice, "was *cancelled after", f"Cancelled by <@{by}>")
    asked = next(record for record in await scene.records() if record["act"] == "cancel asked")
    assert asked["actor"]["user"] == by


@pytest.mark.parametrize("way", ["the button", "the command"])
async def test_others_are_refused_and_their_wish_is_on_record(scene: Scene, watchful: None, way: str) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    run = await is_running(scene)

    if way == "the button":
        await scene.bob.press("Cancel")
    else:
        await scene.bob.command(OPS, f"/workflow cancel {run.id}")

    await scene.told_privately(scene.bob, "You may not cancel", run.id, f"<@{ADMIN}>")
    denied = (await scene.records())[-1]
    assert (denied["act"], denied["actor"]["user"], denied["run"]) == ("cancel denied", BOB, run.id)
    await asyncio.sleep(0.5)
    assert (await scene.only_run()).cancel_by is None
    assert _cancels(scene) == 0


@ONE_DATABASE
async def test_a_rule_for_other_values_is_no_right_to_cancel(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene, rules=BOB_TOO)
    await scene.alice.command(OPS, f"{RUN} env=production")
    run = await is_running(scene)

    await scene.bob.command(OPS, f"/workflow cancel {run.id}")

    await scene.told_privately(scene.bob, "You may not cancel")


async def test_a_run_that_waits_is_cancelled_without_being_started(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene)
    faults = scene.datadog.faults
    faults.status, faults.on, faults.headers = 429, "execute", {"X-RateLimit-Reset": "2"}
    await scene.alice.command(OPS, RUN)
    await scene.told(scene.alice, "Nothing was started yet")

    await scene.alice.press("Cancel")

    await scene.told(scene.alice, "was *cancelled before it was started*", f"Cancelled by <@{ALICE}>")
    run = await scene.only_run(State.CANCELLED)
    faults.clear()
    await asyncio.sleep(2.5)
    assert scene.payloads == []
    assert (await scene.only_run()).state is State.CANCELLED
    assert "cancelled" in words(await reply(scene))
    assert run.sealed is None


async def test_a_run_whose_start_is_under_way_is_cancelled_once_it_has_started(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene)
    scene.datadog.faults.execute_delay = 2
    await scene.alice.command(OPS, RUN)
    run = await scene.only_run(State.LAUNCHING)

    await scene.alice.command(OPS, f"/workflow cancel {run.id}")

    await scene.told_privately(scene.alice, "Cancelling", run.id)
    await scene.told(scene.alice, "was *cancelled after")
    assert len(scene.payloads) == 1
    assert _cancels(scene) == 1


async def test_a_look_that_is_under_way_does_not_put_a_cancellation_off(
    scene: Scene, watchful: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    run = await is_running(scene)
    scene.datadog.faults.delay = 3
    before = looks(scene)

    async def looking() -> bool:
        due = (await scene.only_run()).due
        leased = due is not None and due - datetime.now(UTC) > timedelta(seconds=10)
        return leased and looks(scene) > before  # not the look that was under way before it took its time

    await until(looking)
    monkeypatch.setattr("bot.use_cases.pace.SHORTEST_LOOK", 3600.0)  # when that look would have the next one
    monkeypatch.setattr("bot.use_cases.pace.POLL", 4.0)  # so that it is over before anybody looks for what is due
    await asyncio.sleep(0.5)  # the last short pause is over
    await scene.world.bot.store.write(lambda tx: cancel_as(tx, tx.run(run.id), ALICE, "Alice"))  # by another replica

    async def passed_on() -> bool:
        return _cancels(scene) == 1

    await until(passed_on, timeout=20)


@ONE_DATABASE
async def test_asking_twice_changes_nothing_and_is_answered(scene: Scene, watchful: None) -> None:
    scene.datadog._instance_routes._cancel_seconds = 10
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    run = await is_running(scene)

    await scene.alice.command(OPS, f"/workflow cancel {run.id}")
    await scene.alice.command(OPS, f"/workflow cancel {run.id}")

    await scene.told_privately(scene.alice, "is being cancelled already")
    scene.datadog.let_pass(10)
    await scene.told(scene.alice, "was *cancelled after")
    assert _cancels(scene) == 1
    assert (await scene.acts()).count("cancel asked") == 1


@ONE_DATABASE
async def test_a_run_that_is_over_is_not_cancelled(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene, seconds=0.2)
    await scene.alice.command(OPS, RUN)
    run = await scene.only_run(State.SUCCEEDED)
    await scene.told(scene.alice, "*succeeded after")

    await scene.alice.command(OPS, f"/workflow cancel {run.id}")

    await scene.told_privately(scene.alice, "is over (succeeded after")
    assert (await scene.only_run()).state is State.SUCCEEDED
    assert _cancels(scene) == 0


@pytest.mark.parametrize(("text", "answer"), [("", "Which run?"), (" R-NOSUCHRUN", "There is no such run")])
@ONE_DATABASE
async def test_a_run_that_is_not_there_is_not_cancelled(scene: Scene, text: str, answer: str) -> None:
    await scene.alice.command(OPS, f"/workflow cancel{text}")

    await scene.told_privately(scene.alice, answer)


async def test_a_refusal_of_datadog_is_told_and_the_run_goes_on(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    await is_running(scene)
    scene.datadog.faults.status, scene.datadog.faults.on = 403, "cancel"

    await scene.alice.press("Cancel")

    await scene.told(scene.alice, "is running for", "It could not be cancelled.", "403")
    assert (await scene.acts())[-1] == "cancel refused"
    await asyncio.sleep(1)
    assert "It could not be cancelled." in words(live(scene))
    assert "can't see" not in words(live(scene))
    assert _cancels(scene) == 1
    scene.datadog.let_pass(60)
    await scene.told(scene.alice, "*succeeded after")


async def test_a_cancellation_is_passed_on_again_where_datadog_is_away(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    await is_running(scene)
    scene.datadog.faults.status, scene.datadog.faults.on, scene.datadog.faults.times = 503, "cancel", 2

    await scene.alice.press("Cancel")

    await scene.told(scene.alice, "was *cancelled after")
    assert _cancels(scene) == 3


async def test_the_command_line_cancels_as_the_operator(scene: Scene, watchful: None, tmp_path: Path) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    run = await is_running(scene)

    ended = await _cli(scene, tmp_path, run.id)

    assert ended.code == 0, ended.words
    await scene.told(scene.alice, "was *cancelled after", "Cancelled by whoever runs the bot")
    assert "by whoever runs the bot" in words(await reply(scene))
    over = await _cli(scene, tmp_path, run.id)
    assert over.code == 1
    assert "it is over" in over.words
    asked = next(record for record in await scene.records() if record["act"] == "cancel asked")
    assert asked["actor"]["name"]


@ONE_DATABASE
async def test_a_press_delivered_several_times_at_once_cancels_once(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    await is_running(scene)
    payload = scene.alice.button_payload("Cancel")

    await asyncio.gather(*(scene.slack.deliver("interactive", payload) for _ in range(5)))

    await scene.told(scene.alice, "was *cancelled after")
    assert (await scene.acts()).count("cancel asked") == 1
    assert len(replies(scene)) <= 1


def _cancels(scene: Scene) -> int:
    return len([seen for seen in scene.datadog.requests if seen.method == "PUT"])


async def _cli(scene: Scene, folder: Path, run_id: str) -> Ended:
    environment = world_environment(scene.slack, scene.datadog, scene.database_url)
    return await command(folder, "runs", "cancel", run_id, **environment)
