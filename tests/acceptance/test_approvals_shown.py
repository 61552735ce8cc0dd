"""What approvers are shown: every input exactly; and the list, the commands and the Home in which they find it."""

from __future__ import annotations

import json

from tests.acceptance.approvals import (
    DAN,
    RUN,
    ask_for,
    asked,
    asks,
    offer_with_approval,
)
from tests.acceptance.scene import BOB, ENV, ONE_DATABASE, OPS, RESTART, Scene, words
from tests.acceptance.steps import reply

AGAIN = RUN.replace("web", "api")


# ----------------------------------------------------------------------------------------------------- what one is shown


@ONE_DATABASE
async def test_every_input_is_shown_exactly_and_nothing_invisible_hides_in_it(scene: Scene) -> None:
    await offer_with_approval(scene)
    parameters = [ENV, {"name": "note", "type": "STRING"}, {"name": "token", "type": "STRING"}]
    workflow_id = scene.datadog.add_workflow(name="Restart a service", parameters=parameters)
    rule = asks()
    policy = {
        "version": 1,
        "people": {"managers": {"users": [BOB]}},
        "workflows": {RESTART: {"id": workflow_id, "inputs": {"token": {"secret": True}}}},
        "rules": [rule],
    }
    await scene.world.apply(json.dumps(policy))
    await scene.open_form(scene.alice)
    note = "two\nlines `and` \u202egnp.exe *bold* <!here>"
    await scene.alice.fill({"note": note, "token": "s3cr3t-value", "Environment": "production", "Reason": "why not"})
    assert (await scene.alice.submit()).happened == "closed"
    question = words(await asked(scene, scene.bob))
    assert "two\nlines `and` \\u202egnp.exe *bold* <!here>" in question  # plain text in Slack's rich text
    assert "s3cr3t-value" not in question
    fingerprint = (await scene.only_run()).secrets["token"]
    assert f"_secret_, fingerprint `{fingerprint}`" in question


@ONE_DATABASE
async def test_inputs_that_are_too_long_for_a_message_are_seen_whole_before_one_can_decide(scene: Scene) -> None:
    await offer_with_approval(scene)
    parameters = [ENV, *({"name": f"text{n}", "type": "STRING"} for n in range(5))]
    workflow_id = scene.datadog.add_workflow(name="Restart a service", parameters=parameters)
    people, workflows = {"managers": {"users": [BOB]}}, {RESTART: {"id": workflow_id}}
    await scene.world.apply(json.dumps({"version": 1, "people": people, "workflows": workflows, "rules": [asks()]}))
    await scene.open_form(scene.alice)
    texts = {f"text{n}": f"{n}" * 2990 for n in range(5)}
    await scene.alice.fill({**texts, "Environment": "production", "Reason": "why not"})
    assert (await scene.alice.submit()).happened == "closed"
    question = await asked(scene, scene.bob)
    assert "too long for a message" in words(question)
    await scene.bob.press("See all and decide…")
    window = await scene.bob.wait_for_view(lambda view: view["callback_id"] == "review")
    for text in texts.values():
        assert text in words(window)
    assert (await scene.bob.submit()).happened == "closed"
    await scene.told(scene.alice, f"Approved by <@{BOB}>")


@ONE_DATABASE
async def test_a_run_with_many_inputs_that_do_not_fit_a_line_is_asked_for_like_any_other(scene: Scene) -> None:
    await offer_with_approval(scene)
    optional = {"type": "STRING", "defaultValue": "two\nlines"}
    parameters = [ENV, *({"name": f"text{n}", **optional} for n in range(30))]
    workflow_id = scene.datadog.add_workflow(name="Restart a service", parameters=parameters)
    people, workflows = {"managers": {"users": [BOB]}}, {RESTART: {"id": workflow_id}}
    await scene.world.apply(json.dumps({"version": 1, "people": people, "workflows": workflows, "rules": [asks()]}))
    await scene.alice.command(OPS, RUN.replace("service=web ", ""))
    assert words(await asked(scene, scene.bob)).count("two\nlines") == 30
    await scene.bob.press("Approve")
    await scene.told(scene.alice, f"Approved by <@{BOB}>")


# -------------------------------------------------------------------------------------------------- commands and Home


async def test_pending_lists_what_waits_for_me_and_what_i_wait_for(scene: Scene) -> None:
    await offer_with_approval(scene)
    run_id = await ask_for(scene)
    await scene.bob.command(OPS, "/workflow pending")
    await scene.told_privately(scene.bob, "Waiting for your answer", run_id, "needs 1 of managers")
    await scene.alice.command(OPS, "/workflow pending")
    told = await scene.told_privately(scene.alice, "Your own runs that wait for others", run_id)
    assert "Waiting for your answer" not in told
    await scene.slack.person(DAN).command(OPS, "/workflow pending")
    await scene.told_privately(scene.slack.person(DAN), "Nothing waits for your answer")


async def test_approving_and_refusing_by_command(scene: Scene) -> None:
    await offer_with_approval(scene)
    run_id = await ask_for(scene)
    await scene.bob.command(OPS, f"/workflow refuse {run_id}")
    await scene.told_privately(scene.bob, "Write `/workflow refuse ID reason`")
    await scene.bob.command(OPS, f"/workflow refuse {run_id} I can't: not today, env=production is busy")
    await scene.told_privately(scene.bob, f"You have refused `{run_id}`")
    assert "I can't: not today, env=production is busy" in words(await reply(scene))
    await scene.alice.command(OPS, AGAIN)
    second = (await scene.runs())[0].id
    await scene.bob.command(OPS, f"/workflow approve {second} go ahead")
    await scene.told_privately(scene.bob, f"`{second}` is approved, and starts now.")
    await scene.told(scene.alice, "is running for")
    await scene.bob.command(OPS, "/workflow approve R-NOSUCHRUN1")
    await scene.told_privately(scene.bob, "There is nothing to decide on")


@ONE_DATABASE
async def test_home_lists_what_waits_for_me_and_lets_me_review_it(scene: Scene) -> None:
    await offer_with_approval(scene)
    run_id = await ask_for(scene)
    await scene.bob.open_home()
    home = await scene.bob.wait_for_home(lambda view: run_id in words(view))
    assert "Waiting for your answer" in words(home)
    await scene.bob.press("Review…")
    await scene.bob.wait_for_view(lambda view: view["callback_id"] == "review")
    assert (await scene.bob.submit()).happened == "closed"
    await scene.bob.wait_for_home(lambda view: "Nothing. You are up to date." in words(view))
    await scene.told(scene.alice, "is running for")
    await scene.alice.open_home()
    mine = await scene.alice.wait_for_home(lambda view: "Your latest runs" in words(view))
    assert run_id in words(mine)
