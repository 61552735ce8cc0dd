"""A secret input is in Datadog's request and nowhere else: not in the database, Slack, the audit trail or a log."""

from __future__ import annotations

import json
import logging

import pytest

from bot.domain.runs import State
from bot.observability import HIDDEN, Redaction
from tests.acceptance.leaks import everything, leaks
from tests.acceptance.scene import ALICE_IN_OPS, AUDIT, BOTH_DOORS, ONE_DATABASE, OPS, RESTART, Json, Scene

SECRET = "hunter2-correct-horse"
TOKEN: Json = {"name": "token", "type": "STRING", "label": "Token"}
REASON: Json = {"name": "reason", "type": "STRING", "label": "Reason"}
HIDE = {"token": {"secret": True}}


@BOTH_DOORS
async def test_a_secret_input_is_sent_to_datadog_and_kept_nowhere(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="bot")
    await scene.offer([TOKEN, REASON], inputs=HIDE)
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Token": SECRET, "Reason": "rotation"})

    await scene.alice.submit()

    run = await scene.only_run(State.SUCCEEDED)
    assert scene.payloads == [{"token": SECRET, "reason": "rotation"}]
    assert "token*  _secret_" in await scene.told(scene.alice, "*succeeded after")
    await scene.told(scene.alice, "ended", channel=AUDIT)
    assert run.sealed is None
    kept = everything(scene, caplog.text)
    assert leaks(kept, [SECRET]) == []
    assert "rotation" in kept["database"]
    assert "rotation" in kept["messages"]
    (requested, *_) = await scene.records()
    assert list(requested["secret_inputs"]) == ["token"]


async def test_a_secret_that_datadog_quotes_in_its_refusal_is_kept_nowhere(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await scene.offer([TOKEN, REASON], inputs=HIDE)
    scene.datadog.faults.status, scene.datadog.faults.on = 400, "execute"
    scene.datadog.faults.body = [{"code": "INVALID", "detail": f"token {SECRET} is expired"}]
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Token": SECRET, "Reason": "rotation"})

    await scene.alice.submit()

    await scene.told(scene.alice, "not started", "is expired")
    kept = everything(scene, caplog.text)
    assert leaks(kept, [SECRET]) == []


async def test_a_secret_waits_for_its_launch_sealed(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await scene.offer([TOKEN], inputs=HIDE)
    scene.datadog.faults.status, scene.datadog.faults.headers = 429, {"X-RateLimit-Reset": "600"}
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Token": SECRET})

    await scene.alice.submit()

    await scene.told(scene.alice, "Datadog is limiting requests")
    run = await scene.only_run(State.READY)
    assert run.sealed
    kept = everything(scene, caplog.text)
    assert leaks(kept, [SECRET]) == []


@ONE_DATABASE
async def test_a_secret_is_not_taken_from_a_command(scene: Scene) -> None:
    await scene.offer([TOKEN], inputs=HIDE)

    await scene.alice.command(OPS, f"/workflow run {RESTART} token={SECRET}")

    view = await scene.alice.wait_for_view(lambda v: v["callback_id"] == "workflow_form")
    assert "type it into the form, not into a command" in json.dumps(view)
    assert SECRET not in json.dumps(view)
    assert scene.payloads == []


@ONE_DATABASE
async def test_the_keys_of_an_account_that_a_policy_brings_are_logged_by_nobody(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EU_API_KEY", "a-key-of-europe")
    monkeypatch.setenv("EU_APP_KEY", "an-app-key-of-europe")
    hidden = Redaction([])
    handler = logging.NullHandler()
    handler.addFilter(hidden)
    monkeypatch.setattr(logging.getLogger(), "handlers", [*logging.getLogger().handlers, handler])
    workflow_id = scene.datadog.add_workflow(name="Restart", parameters=[REASON])
    eu = {"site": "datadoghq.eu", "api_key_env": "EU_API_KEY", "app_key_env": "EU_APP_KEY"}
    workflows = {RESTART: {"id": workflow_id, "account": "eu"}}
    await scene.world.apply(
        json.dumps({"version": 1, "accounts": {"eu": eu}, "workflows": workflows, "rules": [ALICE_IN_OPS]})
    )

    await scene.alice.command(OPS, f"/workflow run {RESTART} reason=rotation")

    await scene.only_run(State.NOT_STARTED)  # the stand-in knows one key only
    assert hidden.clean("a-key-of-europe, an-app-key-of-europe") == f"{HIDDEN}, {HIDDEN}"


async def test_neither_a_token_nor_a_key_is_logged_or_stored(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scene.datadog.faults.status, scene.datadog.faults.on = 403, "execute"
    scene.slack.faults.fail("chat.postMessage", "internal_error", times=2)

    await scene.alice.command(OPS, f"/workflow run {RESTART} service=web")

    await scene.told(scene.alice, "not started")
    kept = everything(scene, caplog.text)
    assert leaks(kept, set(scene.world.settings.secrets()) - {scene.database_url}) == []
