"""Run again: the form as it was filled in, decided anew, with secrets typed anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.domain.runs import State
from tests.acceptance.scene import (
    ADMIN,
    ALICE_IN_OPS,
    BOB,
    BOTH_DOORS,
    ENV,
    ONE_DATABASE,
    OPS,
    RESTART,
    SERVICE,
    Json,
    Scene,
)
from tests.acceptance.steps import RUN, live, offer_lasting

SECRET = "hunter2-correct-horse"


@BOTH_DOORS
async def test_the_form_is_filled_in_and_runs_as_a_run_of_its_own(scene: Scene, watchful: None) -> None:
    await _ended(scene, f"{RUN} env=production")

    await scene.alice.press("Run again")

    view = await _form(scene)
    assert _chosen(view, "service") == "web"
    assert _chosen(view, "env") == "production"
    await scene.alice.fill({"Service": "api"})
    assert (await scene.alice.submit()).happened == "closed"
    await scene.told(scene.alice, "is running for", "api")
    assert scene.payloads == [{"service": "web", "env": "production"}, {"service": "api", "env": "production"}]
    assert len({run.id for run in await scene.runs()}) == 2


@ONE_DATABASE
async def test_a_second_press_opens_a_form_for_another_run(scene: Scene, watchful: None) -> None:
    first = await _ended(scene)
    for _ in range(2):
        await scene.alice.press("Run again", in_message=first)
        await _form(scene)
        assert (await scene.alice.submit()).happened == "closed"

    assert len(await scene.runs()) == 3


async def test_secrets_are_typed_anew(scene: Scene, watchful: None) -> None:
    token: Json = {"name": "token", "type": "STRING", "label": "Token"}
    await offer_lasting(scene, seconds=0.2, parameters=[SERVICE, token], inputs={"token": {"secret": True}})
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web", "Token": SECRET})
    await scene.alice.submit()
    await scene.told(scene.alice, "*succeeded after")

    await scene.alice.press("Run again")

    view = await _form(scene)
    assert _chosen(view, "service") == "web"
    assert SECRET not in json.dumps(view)
    assert (await scene.alice.submit()).happened == "refused"
    assert len(scene.payloads) == 1


async def test_permission_is_decided_anew(scene: Scene, watchful: None) -> None:
    workflow_id = await offer_lasting(scene, seconds=0.2)
    await _ended(scene)
    await _apply(scene, workflow_id, rules=[{**ALICE_IN_OPS, "when": {"env": ["production"]}}])

    await scene.alice.press("Run again")

    view = await _form(scene)
    assert _chosen(view, "service") == "web"
    assert _chosen(view, "env") != "staging"
    await scene.alice.close_view()
    await _apply(scene, workflow_id, rules=[])

    await scene.alice.press("Run again")

    told = await scene.told_privately(scene.alice, "No rule lets you run")
    assert f"<@{ADMIN}>" in told
    assert len(scene.payloads) == 1


@ONE_DATABASE
async def test_somebody_else_may_run_it_again_only_where_a_rule_lets_them(scene: Scene, watchful: None) -> None:
    await _ended(scene)

    await scene.bob.press("Run again")

    await scene.told_privately(scene.bob, "No rule lets you run")
    denied = (await scene.records())[-1]
    assert (denied["act"], denied["actor"]["user"], denied["workflow"]) == ("denied", BOB, RESTART)
    assert (denied["reason"], denied["channel"], denied["run"]) == ("no rule allows it", OPS, None)


@pytest.mark.parametrize("environment", [{"AUDIT_CHANNEL": ""}])  # so that the run's message alone is refused
@ONE_DATABASE
async def test_pressed_in_a_direct_message_it_is_for_the_channel_of_the_run(scene: Scene, watchful: None) -> None:
    scene.slack.faults.fail("chat.postMessage", "is_archived", times=1)  # so that the run's message is a direct one
    await scene.alice.command(OPS, RUN)
    await scene.told(scene.alice, "so I tell you here", "*succeeded after", channel=scene.alice.dm)

    await scene.alice.press("Run again")

    assert _chosen(await _form(scene), "service") == "web"
    assert (await scene.alice.submit()).happened == "closed"
    await scene.told(scene.alice, "*succeeded after", channel=OPS)
    assert [run.channel_id for run in await scene.runs()] == [OPS, OPS]


@ONE_DATABASE
async def test_a_workflow_that_is_gone_is_told(scene: Scene, watchful: None) -> None:
    await _ended(scene)
    await scene.apply({}, [])

    await scene.alice.press("Run again")

    await scene.told_privately(scene.alice, "no workflow called")


@ONE_DATABASE
async def test_a_workflow_that_has_changed_shows_its_new_form_with_what_still_fits(
    scene: Scene, watchful: None
) -> None:
    await _ended(scene, f"{RUN} env=production")
    service = {**SERVICE, "allowedValues": ["api", "worker"]}
    reason = {"name": "reason", "type": "STRING", "label": "Reason"}
    await offer_lasting(scene, seconds=0.2, parameters=[service, ENV, reason])

    await scene.alice.press("Run again")

    view = await _form(scene)
    assert _chosen(view, "service") is None
    assert _chosen(view, "env") == "production"
    assert "input:reason" in view["state"]["values"]
    await scene.alice.fill({"Service": "worker", "Reason": "as before"})
    assert (await scene.alice.submit()).happened == "closed"
    await scene.told(scene.alice, "as before")


@pytest.mark.parametrize("outcome", ["STEP_ERROR", "CANCELED"])
@ONE_DATABASE
async def test_also_a_run_that_ended_badly_can_be_run_again(scene: Scene, watchful: None, outcome: str) -> None:
    await offer_lasting(scene, seconds=0.2, outcome=outcome)
    await scene.alice.command(OPS, RUN)
    await scene.told(scene.alice, "Run again")

    await scene.alice.press("Run again")

    assert _chosen(await _form(scene), "service") == "web"


@ONE_DATABASE
async def test_a_run_that_goes_on_is_not_run_again(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)

    assert "Run again" not in await scene.told(scene.alice, "is running for")


async def _ended(scene: Scene, text: str = RUN) -> Json:
    """A run that is over; returns its message."""
    await scene.alice.command(OPS, text)
    await scene.only_run(State.SUCCEEDED)
    await scene.told(scene.alice, "*succeeded after")
    return live(scene)


async def _apply(scene: Scene, workflow_id: str, rules: list[Json]) -> None:
    title = "Restart a service"
    await scene.apply({"restart-service": {"id": workflow_id, "title": title}}, rules)


async def _form(scene: Scene) -> Json:
    return await scene.alice.wait_for_view(lambda view: view["callback_id"] == "workflow_form")


def _chosen(view: Json, name: str) -> Any:
    option = view["state"]["values"][f"input:{name}"]["input"]["selected_option"]
    return option and option["value"]
