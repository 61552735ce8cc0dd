"""Slack is answered within its 3 seconds whatever Datadog, the database or Slack itself take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.runs import State
from tests.acceptance.outages import locked_for
from tests.acceptance.scene import BOTH_DOORS, ONE_DATABASE, OPS, RESTART, Scene, until, words

DOORS = pytest.mark.parametrize("door", ["http", "socket"])
IN_TIME = 3.0


def _slow(call: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    async def slowed(*arguments: Any) -> Any:
        await asyncio.sleep(seconds)
        return await call(*arguments)

    return slowed


def _slow_database(scene: Scene, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    store = scene.world.bot.store
    monkeypatch.setattr(store, "read", _slow(store.read, seconds))
    monkeypatch.setattr(store, "write", _slow(store.write, seconds))
    monkeypatch.setattr("bot.slack.listeners.modal.SOON", seconds / 2)


@BOTH_DOORS
@ONE_DATABASE
@pytest.mark.parametrize(
    ("slow", "meanwhile", "told"),
    [("delay", State.READY, "tries again by itself"), ("execute_delay", State.LAUNCHING, "outcome unknown")],
)
async def test_a_submission_is_answered_in_time_while_datadog_takes_10_seconds(
    scene: Scene, slow: str, meanwhile: State, told: str
) -> None:
    setattr(scene.datadog.faults, slow, 10)
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})

    result = await scene.alice.submit()

    assert result.happened == "closed"
    assert result.ack is not None
    assert result.ack.seconds < IN_TIME
    await scene.only_run(meanwhile)
    await scene.told(scene.alice, "is being started for")
    await scene.datadog.__aexit__()  # rather than wait for the rest of the 10 s
    await scene.told(scene.alice, told)


@ONE_DATABASE
async def test_a_submission_is_answered_in_time_while_each_question_takes_the_database_a_second(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.datadog.faults.execute_delay = 10
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})
    with monkeypatch.context() as patched:
        _slow_database(scene, patched, 0.9)  # who asks is one question, the run another

        result = await scene.alice.submit()

    assert result.happened == "closed"
    assert result.ack is not None
    assert result.ack.seconds < IN_TIME
    await scene.only_run(State.LAUNCHING)
    await scene.datadog.__aexit__()


async def test_a_submission_is_answered_in_time_while_somebody_else_holds_the_tables(scene: Scene) -> None:
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})

    async with locked_for(scene, 2):
        result = await scene.alice.submit()

    assert result.ack is not None
    assert result.ack.seconds < IN_TIME
    await scene.only_run(State.SUCCEEDED)
    await scene.told(scene.alice, "*succeeded after")
    assert len(scene.payloads) == 1


@ONE_DATABASE
async def test_a_submission_that_can_not_be_written_in_time_is_answered_with_a_window_that_tells_how_it_ends(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.slack.app.ACK_LIMIT", 0.3)
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})
    with monkeypatch.context() as patched:
        _slow_database(scene, patched, 1)

        result = await scene.alice.submit()

    assert result.happened == "updated"
    assert scene.alice.view is not None
    assert "Nothing has been started yet" in words(scene.alice.view)
    await scene.alice.wait_for_view(lambda view: "Recorded as" in words(view))
    await scene.only_run(State.SUCCEEDED)
    assert len(scene.payloads) == 1


@pytest.mark.parametrize("text", ["", " list", " history", " run restart-service service=web"])
@ONE_DATABASE
async def test_a_command_is_answered_in_time_while_the_database_takes_2_seconds(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    with monkeypatch.context() as patched:
        _slow_database(scene, patched, 2)

        ack = await scene.alice.command(OPS, f"/workflow{text}")

        assert ack.ok
        assert ack.seconds < IN_TIME
        if text in (" list", " history"):
            await scene.told_privately(scene.alice, "you may run" if text == " list" else "You have run nothing")
        else:
            await scene.alice.wait_for_view(lambda view: "One moment" in words(view))
            await scene.alice.wait_for_view(lambda view: "One moment" not in words(view))
    if "run" in text:
        await scene.only_run(State.SUCCEEDED)
        await scene.told(scene.alice, "*succeeded after")


@ONE_DATABASE
async def test_a_run_that_was_taken_is_not_asked_for_again_where_the_window_came_too_late(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.slack.faults.fail("views.open", "expired_trigger_id", times=1)
    with monkeypatch.context() as patched:
        _slow_database(scene, patched, 0.5)
        await scene.alice.command(OPS, f"/workflow run {RESTART} service=web")
        await scene.told(scene.alice, "*succeeded after")

    assert [words(m) for m in scene.alice.ephemerals(OPS)] == []


@pytest.mark.parametrize("fault", ["refused", "limited", "cut"])
@ONE_DATABASE
async def test_what_was_asked_for_goes_on_and_is_answered_where_no_window_can_be_opened_meanwhile(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    _break(scene, "views.open", fault)
    with monkeypatch.context() as patched:
        _slow_database(scene, patched, 0.5)

        await scene.alice.command(OPS, f"/workflow run {RESTART} service=web")
        await scene.told(scene.alice, "*succeeded after")
        await scene.bob.command(OPS, f"/workflow run {RESTART} service=web")
        await scene.told_privately(scene.bob, "No rule lets you run")

    assert len(scene.payloads) == 1


@pytest.mark.parametrize("fault", ["refused", "limited", "cut"])
@ONE_DATABASE
async def test_a_choice_is_answered_though_the_window_could_not_say_that_it_takes_a_moment(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    await scene.alice.command(OPS, "/workflow")
    await scene.alice.wait_for_view(lambda view: view["callback_id"] == "picker")
    _break(scene, "views.update", fault, times=1)
    with monkeypatch.context() as patched:
        _slow_database(scene, patched, 0.5)

        await scene.alice.choose("pick_workflow", RESTART)
        await scene.alice.wait_for_view(lambda view: view["callback_id"] == "workflow_form")


def _break(scene: Scene, method: str, fault: str, times: int | None = None) -> None:
    match fault:
        case "refused":
            scene.slack.faults.fail(method, "internal_error", times=times)
        case "limited":
            scene.slack.faults.fail(method, "ratelimited", status=429, retry_after=30, times=times)
        case _:
            scene.slack.faults.drop(method, times=times)


@pytest.mark.parametrize(("known", "said"), [(True, "nothing was started"), (False, "can't reach Slack at the moment")])
@ONE_DATABASE
async def test_a_command_is_answered_in_time_while_slack_does_not_tell_who_asks(
    scene: Scene, known: bool, said: str
) -> None:
    if known:  # to which workspace the bot belongs; who Alice is it has to ask
        await scene.bob.command(OPS, "/workflow help")
    scene.slack.faults.delay = 1.5

    ack = await scene.alice.command(OPS, f"/workflow run {RESTART} service=web")

    assert ack.ok
    assert ack.seconds < IN_TIME

    async def told() -> bool:
        shown = words(scene.alice.view) if scene.alice.view else ""
        return said in shown + "".join(words(m) for m in scene.alice.ephemerals(OPS))

    await until(told)
    assert scene.starts == []


@ONE_DATABASE
async def test_options_are_answered_in_time_while_the_database_takes_long(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = [f"host-{number}" for number in range(150)]
    await scene.offer([{"name": "host", "type": "STRING", "label": "Host", "allowedValues": hosts}])
    await scene.open_form(scene.alice)
    monkeypatch.setattr("bot.slack.app.ACK_LIMIT", 0.3)
    with monkeypatch.context() as patched:
        _slow_database(scene, patched, 1)

        assert await scene.alice.suggestions("Host", "1") == []

    assert len(await scene.alice.suggestions("Host", "149")) == 1
