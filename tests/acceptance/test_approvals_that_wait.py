"""What happens while a run waits for its approval: rules, locks, definitions and time go on."""

from __future__ import annotations

import json

import pytest

from bot.domain.runs import State
from bot.sandbox.datadog.workflows import make_spec
from tests.acceptance.approvals import (
    CARA,
    DAN,
    REVIEWS,
    RUN,
    STAGING,
    ask_for,
    asked,
    asks,
    offer_with_approval,
    shown,
    until_over,
)
from tests.acceptance.scene import (
    ADMIN,
    ALICE,
    BOB,
    ENV,
    OPS,
    RESTART,
    SERVICE,
    Scene,
    words,
)

AGAIN = RUN.replace("web", "api")


# ------------------------------------------------------------------------------------------------- while it waited


async def test_what_the_policy_no_longer_allows_is_not_started_and_everybody_is_told(scene: Scene) -> None:
    workflow_id = await offer_with_approval(scene)
    await ask_for(scene)
    await asked(scene, scene.bob)
    policy = {"version": 1, "workflows": {RESTART: {"id": workflow_id}}, "rules": [{"allow": [BOB], "run": ["*"]}]}
    await scene.world.apply(json.dumps(policy))
    await scene.bob.press("Approve")
    await shown(scene, scene.bob, f"<@{BOB}> approved", "not started", "no rule allows it")
    await scene.told(scene.alice, "was *not started* for", "no rule allows it")
    await scene.only_run(State.NOT_STARTED)
    assert scene.starts == []
    assert (await scene.acts())[-2:] == ["approved", "launch refused"]


async def test_a_rule_that_asks_for_more_meanwhile_is_asked_anew(scene: Scene) -> None:
    workflow_id = await offer_with_approval(scene)
    await ask_for(scene)
    await asked(scene, scene.bob)
    policy = {
        "version": 1,
        "people": {"managers": {"users": [BOB, CARA]}},
        "workflows": {RESTART: {"id": workflow_id, "title": "Restart a service"}},
        "rules": [asks(count=2), STAGING],
    }
    await scene.world.apply(json.dumps(policy))
    await scene.bob.press("Approve")
    await scene.told(scene.alice, "was *not started* for", "another approval is asked for now")
    assert scene.starts == []


async def test_a_lock_taken_meanwhile_keeps_what_was_approved_from_starting(scene: Scene) -> None:
    await offer_with_approval(scene)
    await ask_for(scene)
    await asked(scene, scene.bob)
    await scene.slack.person(ADMIN).command(OPS, f"/workflow lock {RESTART} env=production a fire drill")
    await scene.told(scene.alice, "has locked")
    await scene.bob.press("Approve")
    await scene.told(scene.alice, "was *not started* for", "a fire drill")
    await shown(scene, scene.bob, "not started", "a fire drill")
    assert scene.starts == []


async def test_a_freeze_that_began_meanwhile_keeps_what_was_approved_from_starting(scene: Scene) -> None:
    workflow_id = await offer_with_approval(scene)
    await ask_for(scene)
    await asked(scene, scene.bob)
    policy = {
        "version": 1,
        "people": {"managers": {"users": [BOB, CARA]}},
        "workflows": {RESTART: {"id": workflow_id, "title": "Restart a service"}},
        "rules": [asks(), STAGING],
        "freezes": [{"run": ["*"], "from": "2026-01-01T00:00Z", "until": "2999-01-01T00:00Z", "reason": "Holidays"}],
    }
    await scene.world.apply(json.dumps(policy))
    await scene.bob.press("Approve")
    await scene.told(scene.alice, "was *not started* for", "Holidays")
    assert scene.starts == []


async def test_a_definition_swapped_after_the_approval_is_not_run(scene: Scene) -> None:
    workflow_id = await offer_with_approval(scene)
    await ask_for(scene)
    await asked(scene, scene.bob)
    scene.datadog.change_workflow(workflow_id, spec=make_spec([SERVICE, ENV], ["Delete everything"], api_trigger=True))
    await scene.bob.press("Approve")
    await scene.told(scene.alice, "was *not started* for", "was changed in Datadog")
    await shown(scene, scene.bob, "not started", "was changed in Datadog")
    assert scene.starts == []


async def test_a_waiting_run_takes_no_lock_and_the_last_moment_decides(scene: Scene) -> None:
    await offer_with_approval(scene, workflow={"lock_on": ["env"]})
    await scene.alice.command(OPS, RUN)
    await scene.alice.command(OPS, AGAIN)
    await asked(scene, scene.bob)
    await scene.bob.wait_for_message(REVIEWS, lambda m: "`api`" in words(m))
    await scene.bob.wait_for_message(REVIEWS, lambda m: "`web`" in words(m))
    first, second = [m for m in scene.slack.messages(REVIEWS) if "asks to run" in words(m)]
    await scene.bob.press("Approve", first)
    await scene.told(scene.alice, "is running for")
    await scene.bob.press("Approve", second)
    await scene.told(scene.alice, "was *not started* for", "with the same env is not over")
    assert len(scene.starts) == 1


# ------------------------------------------------------------------------------------------------------- time goes by


async def test_an_approval_that_nobody_gives_expires(scene: Scene, impatient: None) -> None:
    await offer_with_approval(scene, asks(expires="1s"))
    await ask_for(scene)
    await scene.told(scene.alice, "was *not approved in time* for")
    await scene.only_run(State.EXPIRED)
    assert await scene.acts() == ["requested", "approval asked", "expired"]


async def test_a_press_after_its_time_expires_it_rather_than_start_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.use_cases.tend_approvals.TOGETHER", 0)  # nobody looks after it meanwhile
    await offer_with_approval(scene, asks(expires="1s"))
    run_id = await ask_for(scene)
    await asked(scene, scene.bob)
    await until_over(scene, run_id)
    await scene.bob.press("Approve")
    await scene.only_run(State.EXPIRED)
    assert scene.starts == []
    assert "approved" not in await scene.acts()


async def test_those_who_have_not_answered_are_reminded(scene: Scene, impatient: None) -> None:
    people = {"managers": {"users": [BOB, CARA]}}
    await offer_with_approval(scene, asks(channel=None, count=2, remind="2s", expires="1h"), people=people)
    await ask_for(scene)
    cara = scene.slack.person(CARA)
    await asked(scene, scene.bob, scene.bob.dm)
    await asked(scene, cara, cara.dm)
    await scene.bob.press("Approve")
    await scene.told(cara, ":bell:", f"<@{ALICE}> still waits for an answer", channel=cara.dm)
    assert not [m for m in scene.slack.messages(scene.bob.dm) if ":bell:" in words(m)]


async def test_others_are_asked_when_nobody_has_answered_for_a_while(scene: Scene, impatient: None) -> None:
    people = {"managers": {"users": [BOB]}, "directors": {"users": [DAN]}}
    rule = asks(channel=None, escalate={"to": ["directors"], "after": "1s"}, expires="1h")
    await offer_with_approval(scene, rule, people=people)
    await ask_for(scene)
    dan = scene.slack.person(DAN)
    await asked(scene, dan, dan.dm)
    assert "escalated" in await scene.acts()
    await dan.press("Approve")
    await scene.told(scene.alice, "is running for", f"Approved by <@{DAN}>")
