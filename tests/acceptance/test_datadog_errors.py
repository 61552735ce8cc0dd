"""Whatever Datadog answers: the person is told what to do next, and a workflow starts once or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.runs import State
from tests.acceptance.scene import AUDIT, ONE_DATABASE, OPS, RESTART, Scene, until, words
from tests.acceptance.steps import live
from tests.datadog_recordings import recording

RUN = f"/workflow run {RESTART} service=web"


async def _fail(scene: Scene, status: int, body: Any = None, **more: Any) -> None:
    """Have starts answered with this instead, and ask for one."""
    faults = scene.datadog.faults
    faults.status, faults.body, faults.on = status, body, "execute"
    faults.headers, faults.times = more.get("headers", {}), more.get("times")
    await scene.alice.command(OPS, RUN)


async def _not_started(scene: Scene, *texts: str, sent: bool = True) -> str:
    said = await scene.told(scene.alice, "not started", *texts)
    assert (await scene.only_run(State.NOT_STARTED)).due is None
    assert await scene.acts() == ["requested", *(["launching"] if sent else []), "launch refused"]
    assert len(scene.starts) == (1 if sent else 0)
    assert scene.payloads == []
    await scene.told(scene.alice, "launch refused", channel=AUDIT)
    return said


async def _unknown(scene: Scene) -> None:
    await scene.told(scene.alice, "outcome unknown", "may or may not be running", "will not send it again")
    assert (await scene.only_run(State.UNKNOWN)).due is not None  # Datadog is searched for it
    assert await scene.acts() == ["requested", "launching", "unknown"]

    async def answered() -> bool:
        return bool(scene.starts)

    await until(answered)
    assert len(scene.starts) == 1
    await scene.told(scene.alice, "unknown", channel=AUDIT)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ([{"code": "INVALID_FIELD_VALUE", "detail": "value is invalid for field service"}], "value is invalid"),
        (['input parameter "x" not in workflow input schema'], "not in workflow input schema"),
        ({"errors": [{"title": "Invalid Parameter", "status": "400"}]}, "Invalid Parameter"),
        ({}, "gave no reason"),
        ("<html><body>Bad <!channel> Request</body></html>", "refused this (400)"),
    ],
)
@ONE_DATABASE
async def test_a_400_is_told_in_datadogs_own_words(scene: Scene, body: Any, text: str) -> None:
    await _fail(scene, 400, body)

    assert "<!channel>" not in await _not_started(scene, "Datadog refused this (400)", text)


@ONE_DATABASE
async def test_the_400_that_datadog_really_answers_is_told(scene: Scene) -> None:
    answer = recording("execute_a_workflow_returns_bad_request_response")["response"]

    await _fail(scene, answer["status"], answer["body"])

    await _not_started(scene, "value &lt;no value&gt; is invalid for field workflow_id")


@pytest.mark.parametrize("status", [401, 403])
@ONE_DATABASE
async def test_a_401_or_403_names_the_four_causes_to_check(scene: Scene, status: int) -> None:
    await _fail(scene, status, ["Forbidden"])

    said = await _not_started(scene, f"({status})")
    for cause in ("registered for Actions API", "workflows_run", "a Runner of this workflow", "belong to the site"):
        assert cause in said


@ONE_DATABASE
async def test_a_workflow_that_is_gone_in_datadog_is_told(scene: Scene) -> None:
    workflow_id = await scene.offer()
    scene.datadog.remove_workflow(workflow_id)

    await scene.alice.command(OPS, RUN)

    await _not_started(scene, "workflow not found", sent=False)


async def test_after_a_429_the_bot_waits_as_told_and_starts_exactly_once(scene: Scene, impatient: None) -> None:
    await _fail(scene, 429, headers={"X-RateLimit-Reset": "1"}, times=2)

    await scene.told(scene.alice, "Datadog is limiting requests", "tries again by itself")
    await scene.only_run(State.SUCCEEDED)

    assert len(scene.payloads) == 1
    assert len(scene.starts) == 3
    waits = [record["seconds"] for record in await scene.records() if record["act"] == "launch postponed"]
    assert waits == [1.0, 1.0]
    await scene.told(scene.alice, "*succeeded after", scene.datadog.executions[0].instance_id)


@ONE_DATABASE
async def test_a_429_that_names_too_long_a_time_is_given_up_and_told(scene: Scene) -> None:
    await _fail(scene, 429, headers={"X-RateLimit-Reset": "3600"})

    await _not_started(scene, "The bot has stopped trying")


@pytest.mark.parametrize("lost", ["500", "502", "drop", "garbage"])
async def test_where_the_answer_is_lost_the_run_is_unknown_and_never_sent_again(
    scene: Scene, impatient: None, lost: str
) -> None:
    """Trap 4: Datadog's own client would send it again."""
    scene.datadog.faults.fail_after_accept = lost

    await scene.alice.command(OPS, RUN)

    await _unknown(scene)
    assert len(scene.payloads) == 1


@pytest.mark.parametrize(
    ("status", "body"), [(500, ["internal error"]), (503, "<html>Service Unavailable</html>"), (302, {}), (408, [])]
)
@ONE_DATABASE
async def test_a_status_that_tells_nothing_leaves_the_run_unknown(
    scene: Scene, impatient: None, status: int, body: Any
) -> None:
    await _fail(scene, status, body)

    await _unknown(scene)


@pytest.fixture
def short_call_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Datadog has 25 s outside of tests. Asked for before `scene`, which opens the client."""
    monkeypatch.setattr("bot.connections.CALL_LIMIT", 0.3)


async def test_an_answer_that_does_not_come_in_time_leaves_the_run_unknown(
    short_call_limit: None, scene: Scene, impatient: None
) -> None:
    scene.datadog.faults.fail_after_accept = "slow:1"

    await scene.alice.command(OPS, RUN)

    await _unknown(scene)
    assert len(scene.payloads) == 1


async def test_where_no_connection_comes_about_the_run_starts_once_later(scene: Scene, impatient: None) -> None:
    await scene.datadog.__aexit__()

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "No connection to Datadog came about", "tries again by itself")
    assert (await scene.only_run()).state in (State.READY, State.LAUNCHING)
    await scene.datadog.__aenter__()
    await scene.only_run(State.SUCCEEDED)
    assert len(scene.payloads) == 1
    assert (await scene.acts())[-3:] == ["launching", "launched", "ended"]


async def test_a_run_is_in_the_channel_before_datadog_has_answered(scene: Scene, impatient: None) -> None:
    scene.datadog.faults.execute_delay = 2

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "is being started for")
    await scene.only_run(State.SUCCEEDED)
    await scene.told(scene.alice, "*succeeded after")
    assert "succeeded" in words(live(scene))
