"""A secret input is in Datadog's request and nowhere else: not in the database, Slack, the audit trail or a log."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.domain.runs import State
from bot.evidence.lines import record_json
from bot.observability import HIDDEN, Redaction
from bot.storage.engine import parse_url
from bot.storage.tables import metadata
from tests.acceptance.scene import ALICE_IN_OPS, AUDIT, BOTH_DOORS, ONE_DATABASE, OPS, RESTART, Json, Scene

SECRET = "hunter2-correct-horse"
TOKEN: Json = {"name": "token", "type": "STRING", "label": "Token"}
REASON: Json = {"name": "reason", "type": "STRING", "label": "Reason"}
HIDE = {"token": {"secret": True}}


def _database(scene: Scene) -> str:
    """Every row of every table, and of SQLite also what its files still hold."""
    url = parse_url(scene.database_url)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        rows = [repr(row) for table in metadata.sorted_tables for row in connection.execute(sa.select(table))]
    engine.dispose()
    found = "\n".join(rows)
    if url.drivername == "sqlite" and url.database:
        path = Path(url.database)
        found += "\n".join(file.read_bytes().decode("latin-1") for file in path.parent.glob(path.name + "*"))
    return found


async def _everything_kept_or_sent(scene: Scene, logs: str) -> dict[str, str]:
    records = await scene.world.bot.store.read(lambda tx: tx.records(0, 1000))
    return {
        "database": _database(scene),
        "calls to Slack": json.dumps([call.params for call in scene.slack.calls]),
        "answers to Slack": "\n".join(delivered.ack.body for delivered in scene.slack.delivered),
        "messages": json.dumps([m for c in scene.slack.workspace.channels for m in scene.slack.messages(c)]),
        "audit export": json.dumps([record_json(record) for record in records]),
        "logs": logs,
    }


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
    kept = await _everything_kept_or_sent(scene, caplog.text)
    assert [place for place, text in kept.items() if SECRET in text] == []
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
    kept = await _everything_kept_or_sent(scene, caplog.text)
    assert [place for place, text in kept.items() if SECRET in text] == []


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
    kept = await _everything_kept_or_sent(scene, caplog.text)
    assert [place for place, text in kept.items() if SECRET in text] == []


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
    kept = await _everything_kept_or_sent(scene, caplog.text)
    for secret in scene.world.settings.secrets():
        if secret != scene.database_url:
            assert [place for place, text in kept.items() if secret in text] == []
