"""Tricks to have something run that was not approved, or by somebody who may not: each is tried, and fails."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.runs import State
from bot.storage.tables import runs
from tests.acceptance.approvals import (
    CARA,
    MANAGERS,
    REVIEWS,
    RUN,
    ask_for,
    asked,
    asks,
    offer_with_approval,
)
from tests.acceptance.scene import ALICE, BOB, ONE_DATABASE, OPS, Json, Scene, words

IN_GROUP: Json = {"managers": {"groups": [MANAGERS]}}


async def _nothing_started(scene: Scene) -> None:
    assert {run.state for run in await scene.runs()} == {State.AWAITING_APPROVAL}
    assert scene.starts == []
    assert "approved" not in await scene.acts()


async def test_a_press_that_is_replayed_counts_once(scene: Scene) -> None:
    await offer_with_approval(scene, asks(count=2))
    await ask_for(scene)
    press = scene.bob.button_payload("Approve", await asked(scene, scene.bob))
    await asyncio.gather(*(scene.slack.deliver("interactive", press) for _ in range(5)))
    assert (await scene.acts()).count("approved") == 1
    assert (await scene.only_run()).state is State.AWAITING_APPROVAL


@ONE_DATABASE
async def test_the_button_of_another_run_is_worth_nothing_for_this_one(scene: Scene) -> None:
    await offer_with_approval(scene)
    await scene.alice.command(OPS, RUN)
    await scene.alice.command(OPS, RUN.replace("web", "api"))
    await scene.bob.wait_for_message(REVIEWS, lambda m: "`api`" in words(m))
    await scene.bob.wait_for_message(REVIEWS, lambda m: "`web`" in words(m))
    one, other = (json.loads(_approve(scene, m)["actions"][0]["value"]) for m in scene.slack.messages(REVIEWS))
    press = _approve(scene, scene.slack.messages(REVIEWS)[0])
    press["actions"][0]["value"] = json.dumps({"r": other["r"], "h": one["h"]})
    await scene.slack.deliver("interactive", press)
    await scene.told_privately(scene.bob, "is not what you were shown any more", channel=REVIEWS)
    await _nothing_started(scene)


def _approve(scene: Scene, message: Json) -> Json:
    return scene.bob.button_payload("Approve", message)


@ONE_DATABASE
@pytest.mark.parametrize(
    "memory", ['{"r": "%s", "h": ""}', '{"r": "%s", "h": "0000"}', '{"r": "%s"}', "%s", "[1]", "", '{"r": 1, "h": 2}']
)
async def test_an_edited_memory_of_the_review_window_is_worth_nothing(scene: Scene, memory: str) -> None:
    await offer_with_approval(scene)
    run_id = await ask_for(scene)
    await asked(scene, scene.bob)
    await scene.bob.press("Comment…")
    await scene.bob.wait_for_view(lambda view: view["callback_id"] == "review")
    submission = scene.bob.submission()
    submission["view"]["private_metadata"] = memory.replace("%s", run_id)
    ack = await scene.slack.deliver("interactive", submission)
    assert ack.status == 200
    await _nothing_started(scene)


@ONE_DATABASE
async def test_somebody_of_another_workspace_in_a_shared_channel_can_not_decide(scene: Scene) -> None:
    await offer_with_approval(scene, people={"managers": {"users": ["U08STRANGER", BOB]}})
    stranger = scene.slack.add_person("U08STRANGER", "Sam Stranger", is_stranger=True)
    scene.slack.workspace.channels[REVIEWS].is_ext_shared = True
    await ask_for(scene)
    await stranger.press("Approve", await asked(scene, stranger))
    await stranger.press("Refuse…", await asked(scene, stranger))
    # The same press, dressed up as one of ours: Slack says who they are.
    dressed = copy.deepcopy(stranger.button_payload("Approve", await asked(scene, stranger)))
    dressed["user"]["team_id"] = dressed["team"]["id"] = scene.slack.team_id
    await scene.slack.deliver("interactive", dressed)
    await _nothing_started(scene)
    assert (await scene.acts()).count("review denied") == 2


@ONE_DATABASE
@pytest.mark.parametrize("environment", [{"ALLOW_ACTORS": "guest external"}], indirect=True)
@pytest.mark.parametrize("flags", [{"is_restricted": True}, {"deleted": True}, {"is_bot": True}], ids=str)
async def test_guests_bots_and_the_deactivated_can_not_decide_whatever_the_settings_say(
    scene: Scene, flags: dict[str, bool]
) -> None:
    await offer_with_approval(scene, people={"managers": {"users": ["U08GUEST", BOB]}})
    guest = scene.slack.add_person("U08GUEST", "Gil Guest")
    await ask_for(scene)
    press = guest.button_payload("Approve", await asked(scene, guest))
    for name, value in flags.items():
        setattr(scene.slack.workspace.members["U08GUEST"], name, value)
    await scene.slack.deliver("interactive", press)
    await _nothing_started(scene)


async def test_the_requester_can_not_approve_through_a_group_they_are_in(scene: Scene) -> None:
    await offer_with_approval(scene, asks(), people=IN_GROUP)
    scene.slack.add_group(MANAGERS, [ALICE, BOB], "managers")
    await ask_for(scene)
    await scene.alice.press("Approve", await asked(scene, scene.alice))
    await scene.told_privately(scene.alice, "is your own: somebody else has to decide", channel=REVIEWS)
    await _nothing_started(scene)


async def test_who_left_the_group_between_message_and_press_decides_no_more(scene: Scene) -> None:
    await offer_with_approval(scene, people=IN_GROUP)
    await ask_for(scene)
    await asked(scene, scene.bob)
    await scene.bob.command(OPS, "/workflow pending")  # the bot has just learnt that Bob is in the group
    await scene.told_privately(scene.bob, "Waiting for your answer")
    scene.slack.workspace.groups[MANAGERS].users = [CARA]  # and Slack's event about the change was lost
    await scene.bob.press("Approve")
    await scene.told_privately(scene.bob, "You are not among those who may decide", channel=REVIEWS)
    await _nothing_started(scene)
    await scene.slack.person(CARA).press("Approve")
    await scene.told(scene.alice, "is running for")


async def test_where_slack_can_not_tell_who_is_in_the_group_nobody_decides(scene: Scene) -> None:
    await offer_with_approval(scene, people=IN_GROUP)
    await ask_for(scene)
    await asked(scene, scene.bob)
    scene.slack.faults.fail("usergroups.users.list", "ratelimited")
    scene.expected_violations = scene.slack.violations
    await scene.bob.press("Approve")
    await scene.told_privately(scene.bob, "Try again in a moment", channel=REVIEWS)
    await _nothing_started(scene)


async def test_inputs_that_are_edited_in_the_database_after_the_approval_are_not_sent(
    scene: Scene, impatient: None
) -> None:
    await offer_with_approval(scene)
    await ask_for(scene)
    await asked(scene, scene.bob)
    # Datadog has no room for it just now, so it waits in the database for another attempt.
    scene.datadog.faults.from_json({"status": 429, "on": "execute", "headers": {"X-RateLimit-Reset": "2"}})
    await scene.bob.press("Approve")
    await scene.told(scene.alice, "Nothing was started yet")
    scene.datadog.faults.clear()
    edit = sa.update(runs).values(inputs={"service": "everything", "env": "production"})
    await scene.world.bot.store.write(lambda tx: tx.connection.execute(edit) and None)
    await scene.told(scene.alice, "was *not started* for", "It is not what was approved any more")
    assert scene.payloads == []


@ONE_DATABASE
async def test_a_forged_wish_to_break_the_glass_is_refused_where_the_rule_does_not_allow_it(scene: Scene) -> None:
    await offer_with_approval(scene)
    await scene.alice.command(OPS, f"{RUN} --break-glass")
    await scene.told_privately(scene.alice, "can't be started without", "Nothing was started.")
    assert await scene.runs() == []
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web", "Environment": "production", "Reason": "because"})
    forged = scene.alice.submission()
    forged["view"]["state"]["values"]["approval:glass"] = {
        "break_glass": {"type": "checkboxes", "selected_options": [{"value": "yes"}]}
    }
    ack = await scene.slack.deliver("interactive", forged)
    assert "can't be started without" in words(ack.json["view"])
    assert await scene.runs() == []


@ONE_DATABASE
async def test_what_a_requester_asked_for_who_has_left_since_does_not_start(scene: Scene) -> None:
    await offer_with_approval(scene)
    await ask_for(scene)
    await asked(scene, scene.bob)
    scene.slack.workspace.members[ALICE].deleted = True
    await scene.bob.press("Approve")
    await scene.told(scene.bob, "was *not started* for", "not a full member of the workspace")
    assert scene.starts == []


@pytest.mark.parametrize("also", [{}, {"bound_to": ""}], ids=["state", "state and hash"])
async def test_a_run_whose_state_is_edited_does_not_start_without_its_approval(
    scene: Scene, impatient: None, also: dict[str, str]
) -> None:
    await offer_with_approval(scene)
    await ask_for(scene)
    await asked(scene, scene.bob)

    def edit(tx: Any) -> None:
        tx.connection.execute(sa.update(runs).values(state="ready", due=tx.now, **also))

    scene.tampered = True
    await scene.world.bot.store.write(edit)
    await scene.told(scene.alice, "was *not started* for", "It is not what was approved any more")
    assert scene.starts == []


@ONE_DATABASE
@pytest.mark.parametrize("value", ["x", "1", "", "[" * 5000, '{"r":"\\ud800"}', '{"r": 1, "h": 2}', "null"], ids=repr)
async def test_an_odd_button_is_answered_like_one_of_nothing(scene: Scene, value: str) -> None:
    await offer_with_approval(scene)
    await ask_for(scene)
    question = await asked(scene, scene.bob)
    for action in ("approve_run", "review_run"):
        press = scene.bob.button_payload("Approve", question)
        press["actions"][0] |= {"value": value, "action_id": action}
        assert (await scene.slack.deliver("interactive", press)).status == 200
    await scene.told_privately(scene.bob, "There is nothing to decide on", channel=REVIEWS)
    await _nothing_started(scene)


@ONE_DATABASE
async def test_a_strangers_presses_do_not_use_up_the_looks_at_groups(scene: Scene) -> None:
    await offer_with_approval(scene, people=IN_GROUP)
    stranger = scene.slack.add_person("U08STRANGER", "Sam Stranger", is_stranger=True)
    scene.slack.workspace.channels[REVIEWS].is_ext_shared = True
    await ask_for(scene)
    question = await asked(scene, stranger)
    before = len(scene.slack.calls_of("usergroups.users.list"))
    for _ in range(15):
        await stranger.press("Approve", question)
    assert len(scene.slack.calls_of("usergroups.users.list")) == before
