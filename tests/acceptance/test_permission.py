"""Who may run what, where, with which values: refused in words that say why and whom to ask, and recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.domain.runs import State
from tests.acceptance.scene import (
    ADMIN,
    ALICE,
    ALICE_IN_OPS,
    BOB,
    BOTH_DOORS,
    GENERAL,
    ONE_DATABASE,
    OPS,
    RESTART,
    Json,
    Scene,
    until,
    words,
)

GUEST, EXTERNAL, BOT, GONE = "U03GUEST", "U04EXTERN", "U05ROBOT", "U06GONE"
STAGING_ONLY: Json = {"allow": [ALICE], "run": [RESTART], "when": {"env": ["staging"]}}


async def _refused(scene: Scene, reason: str) -> None:
    """One refusal is in the trail, and nothing was started."""
    (record,) = await scene.records()
    assert record["act"] == "denied"
    assert record["reason"] == reason
    assert record["workflow"] == RESTART
    assert await scene.runs() == []
    assert scene.starts == []


@BOTH_DOORS
async def test_without_a_rule_nobody_may_run_anything(scene: Scene) -> None:
    await scene.bob.command(OPS, f"/workflow run {RESTART} service=web")

    said = await scene.told_privately(scene.bob, "No rule lets you run")
    assert f"Ask <@{ADMIN}> to change that." in said
    assert "Nothing was started." in said
    await _refused(scene, "no rule allows it")
    (record,) = await scene.records()
    assert record["actor"] == {"team": scene.slack.team_id, "user": BOB, "name": "Bob Tanaka"}


async def test_a_workflow_that_is_not_in_the_catalogue_is_refused(scene: Scene) -> None:
    await scene.alice.command(OPS, "/workflow run <!channel> service=web")

    said = await scene.told_privately(scene.alice, "There is no workflow called")
    assert "<!channel>" not in said
    (record,) = await scene.records()
    assert (record["act"], record["reason"]) == ("denied", "not in the catalogue")
    assert record["workflow"] == "<!channel>"


async def test_in_the_wrong_channel_the_refusal_names_the_right_one(scene: Scene) -> None:
    await scene.alice.command(GENERAL, f"/workflow run {RESTART} service=web")

    await scene.told_privately(scene.alice, f"not in this channel. Use it in <#{OPS}>", channel=GENERAL)
    await _refused(scene, "not allowed in this channel")


async def test_with_other_values_than_the_rule_allows_the_refusal_names_those_that_it_does(scene: Scene) -> None:
    await scene.offer(rules=[STAGING_ONLY])

    await scene.alice.command(OPS, f"/workflow run {RESTART} service=web env=production")

    await scene.told_privately(scene.alice, "not with these values. Rule 1 allows `env` as `staging`")
    await _refused(scene, "not allowed with these values")
    await scene.alice.command(OPS, f"/workflow run {RESTART} service=web env=staging")
    await scene.only_run(State.SUCCEEDED)


async def test_a_default_counts_like_a_value_that_was_typed(scene: Scene) -> None:
    await scene.offer(rules=[{"allow": [ALICE], "run": [RESTART], "when": {"env": ["production"]}}])

    await scene.alice.command(OPS, f"/workflow run {RESTART} service=web")

    await scene.told_privately(scene.alice, "not with these values")
    await _refused(scene, "not allowed with these values")


@ONE_DATABASE
async def test_a_list_may_hold_nothing_but_allowed_values(scene: Scene) -> None:
    hosts = [{"name": "hosts", "type": "ARRAY_STRING"}]
    await scene.offer(hosts, rules=[{"allow": [ALICE], "run": [RESTART], "when": {"hosts": ["a", "b"]}}])

    await scene.alice.command(OPS, f"/workflow run {RESTART} hosts=a,c")

    await scene.told_privately(scene.alice, "not with these values")
    await _refused(scene, "not allowed with these values")


@pytest.mark.parametrize("deny", [{"deny": [ALICE]}, {"deny": ["*"], "when": {"env": ["staging"]}}])
async def test_a_deny_wins_over_an_allow(scene: Scene, deny: Json) -> None:
    await scene.offer(rules=[ALICE_IN_OPS, {**deny, "run": ["*"]}])

    await scene.alice.command(OPS, f"/workflow run {RESTART} service=web env=staging")

    await scene.told_privately(scene.alice, "You may not run", "rule 2 of the policy says")
    await _refused(scene, "denied by rule")


async def test_permission_withdrawn_while_the_form_is_open_is_noticed_at_submit(scene: Scene) -> None:
    workflow_id = await scene.offer()
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})
    await scene.apply({RESTART: {"id": workflow_id, "title": "Restart a service"}}, [])

    result = await scene.alice.submit()

    assert result.happened == "updated"
    assert scene.alice.view is not None
    assert "No rule lets you run" in words(scene.alice.view)
    assert f"Ask <@{ADMIN}>" in words(scene.alice.view)
    await _refused(scene, "no rule allows it")


async def test_a_workflow_changed_while_the_form_is_open_is_shown_anew_before_it_runs(scene: Scene) -> None:
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "api"})
    await scene.offer([{"name": "service", "type": "STRING", "label": "Service"}])

    assert (await scene.alice.submit()).happened == "updated"

    assert scene.payloads == []
    view = await scene.alice.wait_for_view(lambda v: "was changed while the form was open" in words(v))
    assert view["state"]["values"]["input:service"]["input"]["value"] == "api"
    assert (await scene.alice.submit()).happened == "closed"
    await scene.only_run(State.SUCCEEDED)
    assert scene.payloads == [{"service": "api"}]


@ONE_DATABASE
async def test_a_form_forged_for_another_workflow_or_channel_is_decided_like_any_other(scene: Scene) -> None:
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})
    forged = scene.alice.submission()
    memory = json.loads(forged["view"]["private_metadata"])
    forged["view"]["private_metadata"] = json.dumps(memory | {"c": GENERAL})

    ack = await scene.slack.deliver("interactive", forged)

    assert "not in this channel" in words(ack.json["view"])
    await _refused(scene, "not allowed in this channel")


async def test_a_choice_that_is_permitted_no_more_is_refused_and_recorded(scene: Scene) -> None:
    await scene.alice.command(OPS, "/workflow")
    await scene.alice.wait_for_view(lambda view: view["callback_id"] == "picker")
    await scene.offer(rules=[])

    await scene.alice.choose("pick_workflow", RESTART)

    await scene.alice.wait_for_view(lambda view: "No rule lets you run" in words(view))
    await _refused(scene, "no rule allows it")


async def test_the_picker_shows_only_what_may_be_run_here(scene: Scene) -> None:
    workflows: Any = {
        name: {"id": scene.datadog.add_workflow(name=name), "title": name} for name in ("one", "two", "three", "four")
    }
    workflows["three"]["tags"] = ["ops"]
    rules = [
        {"allow": [ALICE], "run": ["one", "two", "tag:ops"]},
        {"allow": [ALICE], "run": ["four"], "in": [GENERAL]},
        {"deny": [ALICE], "run": ["two"]},
    ]
    await scene.apply(workflows, rules)

    await scene.alice.command(OPS, "/workflow")
    view = await scene.alice.wait_for_view(lambda v: v["callback_id"] == "picker")
    await scene.bob.command(OPS, "/workflow")

    offered = [option["value"] for option in view["blocks"][1]["elements"][0]["options"]]
    assert offered == ["one", "three"]
    assert "There is no workflow that you may run" in await scene.told_privately(scene.bob, "workflow")
    assert scene.bob.view is None


def _add_strangers(scene: Scene) -> None:
    scene.slack.add_person(GUEST, "Gil Guest", is_restricted=True)
    scene.slack.add_person(GONE, "Gone Person", deleted=True)
    scene.slack.add_person(BOT, "Robot", is_bot=True)
    scene.slack.add_person(EXTERNAL, "Eve External", team_id="T09OTHER")


async def _command_of(scene: Scene, user_id: str) -> str:
    """A command with this person's id in it, also where Slack's client would not send one; the words of its answer.

    It is in the acknowledgement, or in a window where that took too long; `a run` where one was started.
    """
    payload = scene.slack.client.payloads.slash_command(  # what a person's client would make of it
        user_id, scene.slack.workspace.channels[OPS], f"run {RESTART} service=web"
    )
    payload["team_id"] = scene.slack.workspace.members[user_id].team_id
    ack = await scene.slack.deliver("command", payload)
    assert ack.ok
    if ack.body:
        return words(ack.json)

    person = scene.slack.person(user_id)

    async def look() -> str | None:
        if await scene.runs():
            return "a run"
        said = "".join(words(m) for m in person.ephemerals(OPS)) + (words(person.view) if person.view else "")
        return said if "One moment" not in said else None

    return await until(look)


@pytest.mark.parametrize("user_id", [GUEST, GONE, BOT, EXTERNAL])
async def test_guests_bots_deactivated_and_external_people_are_refused_whatever_the_rules_say(
    scene: Scene, user_id: str
) -> None:
    _add_strangers(scene)
    await scene.offer(rules=[{"allow": ["*", user_id], "run": ["*"]}])

    said = await _command_of(scene, user_id)

    assert "full members of this workspace only" in said
    assert f"Ask <@{ADMIN}>" in said
    await _refused(scene, "not a full member of the workspace")


@pytest.mark.parametrize("environment", [{"ALLOW_ACTORS": "guest external"}])
@pytest.mark.parametrize(("user_id", "admitted"), [(GUEST, True), (EXTERNAL, True), (BOT, False), (GONE, False)])
@ONE_DATABASE
async def test_a_setting_lets_in_the_kinds_of_people_it_names_and_no_others(
    scene: Scene, user_id: str, admitted: bool
) -> None:
    _add_strangers(scene)
    await scene.offer(rules=[{"allow": ["*"], "run": ["*"]}])

    said = await _command_of(scene, user_id)

    if admitted:
        await scene.only_run(State.SUCCEEDED)
    else:
        assert "full members" in said
        await _refused(scene, "not a full member of the workspace")


@ONE_DATABASE
async def test_a_person_whom_slack_can_not_name_is_not_let_in(scene: Scene) -> None:
    scene.slack.faults.fail("users.info", "internal_error", status=500)

    await scene.alice.command(OPS, f"/workflow run {RESTART} service=web")

    await scene.told_privately(scene.alice, "can't tell who you are, and nothing was started")
    assert scene.starts == []
