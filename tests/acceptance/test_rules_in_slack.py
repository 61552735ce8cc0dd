"""Rules as people meet them in Slack: why, dry run, locks, freezes, limits, grants, groups, and definitions that changed."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.runs import State
from bot.sandbox.datadog.workflows import make_spec
from tests.acceptance.scene import (
    ADMIN,
    ALICE,
    ALICE_IN_OPS,
    BOB,
    ENV,
    GENERAL,
    ONE_DATABASE,
    OPS,
    RESTART,
    SERVICE,
    Json,
    Scene,
    words,
)

BOB_IN_STAGING: Json = {"allow": [BOB], "run": [RESTART], "when": {"env": ["staging"]}}
SRE = "S01SRE"
RUN = f"/workflow run {RESTART} service=web"


async def _apply(scene: Scene, *rules: Json, workflow: Json | None = None, more: Json | None = None) -> str:
    """A policy of one workflow, with all that a policy can hold."""
    workflow_id = scene.datadog.add_workflow(name="Restart a service", parameters=[SERVICE, ENV], step_seconds=60)
    fields = {"id": workflow_id, "title": "Restart a service", "tags": ["ops"], **(workflow or {})}
    policy = {"version": 1, "workflows": {RESTART: fields}, "rules": list(rules or (ALICE_IN_OPS,)), **(more or {})}
    await scene.world.apply(json.dumps(policy))
    return workflow_id


def _offered(view: Json, label: str) -> list[str]:
    (element,) = [b["element"] for b in view["blocks"] if b["type"] == "input" and b["label"]["text"] == label]
    return [option["value"] for option in element["options"]]


def _admin(scene: Scene) -> Any:
    return scene.slack.person(ADMIN)


# --------------------------------------------------------------------------------------------------- why, and what would


@ONE_DATABASE
async def test_why_names_the_rule_in_words_for_oneself(scene: Scene) -> None:
    await scene.alice.command(OPS, f"/workflow why {RESTART} service=web")
    said = await scene.told_privately(scene.alice, "You may run")
    assert f"rule 1 of the policy says `allow {ALICE} to run anything in {OPS}`" in said
    await scene.bob.command(OPS, f"/workflow why {RESTART} service=web")
    said = await scene.told_privately(scene.bob, "No rule lets you run")
    assert f"Ask <@{ADMIN}> to change that." in said
    assert await scene.records() == []


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ("env=staging", ":white_check_mark: "),  # what is asked of the service stays open, as nobody has named one
        ("", ":white_check_mark: "),
        ("service=api", ":no_entry: "),
        ("env=production", ":no_entry: "),  # whatever the service would be
        ("service=web env=staging", ":white_check_mark: "),
    ],
)
@ONE_DATABASE
async def test_why_with_values_missing_is_answered_for_those_that_are_there(
    scene: Scene, pairs: str, said: str
) -> None:
    await _apply(scene, {"allow": [BOB], "run": [RESTART], "when": {"service": ["web"], "env": ["staging"]}})
    await scene.bob.command(OPS, f"/workflow why {RESTART} {pairs}")
    await scene.told_privately(scene.bob, said)


@ONE_DATABASE
async def test_why_and_the_refusal_say_the_same(scene: Scene) -> None:
    await _apply(scene, BOB_IN_STAGING)
    await scene.bob.command(OPS, f"/workflow why {RESTART} service=web env=production")
    why = await scene.told_privately(scene.bob, "not with these values")
    await scene.bob.command(OPS, f"{RUN} env=production")
    refused = await scene.told_privately(scene.bob, "not with these values", "Nothing was started.")
    sentence = why.splitlines()[0]
    assert sentence in refused


@ONE_DATABASE
async def test_admins_may_ask_about_others_and_nobody_else(scene: Scene) -> None:
    await _admin(scene).command(OPS, f"/workflow why {RESTART} <@{ALICE}> service=web")
    said = await scene.told_privately(_admin(scene), f"About <@{ALICE}>")
    assert "rule 1 of the policy" in said
    await scene.bob.command(OPS, f"/workflow why {RESTART} <@{ALICE}> service=web")
    await scene.told_privately(scene.bob, "Only admins may ask about others.")


@ONE_DATABASE
async def test_a_dry_run_shows_decision_and_exact_request_and_sends_nothing(scene: Scene) -> None:
    workflow_id = await _apply(scene)
    await scene.alice.command(OPS, f"{RUN} env=production --dry-run")
    said = await scene.told_privately(scene.alice, "Dry run: nothing is started.")
    assert "rule 1 of the policy" in said
    request = said.split("```")[1]
    first, _, body = request.partition("\n")
    assert first == f"POST {scene.datadog.url}/api/v2/workflows/{workflow_id}/instances"
    assert json.loads(body) == {"meta": {"payload": {"service": "web", "env": "production"}}}
    await scene.bob.command(OPS, f"{RUN} --dry-run")
    refused = await scene.told_privately(scene.bob, "Dry run", "No rule lets you run")
    assert "```" not in refused
    assert scene.starts == []
    assert await scene.runs() == []


@ONE_DATABASE
async def test_a_dry_run_shows_no_secret(scene: Scene) -> None:
    await _apply(scene, workflow={"inputs": {"env": {"secret": True}}})
    await scene.alice.command(OPS, f"{RUN} --dry-run")
    assert '"env": "(secret)"' in await scene.told_privately(scene.alice, "Dry run")


# ---------------------------------------------------------------------------------------------------------- value rules


@ONE_DATABASE
async def test_a_value_that_one_may_not_choose_is_not_offered(scene: Scene) -> None:
    await _apply(scene, BOB_IN_STAGING, ALICE_IN_OPS, {"deny": [ALICE], "run": ["*"], "when": {"service": ["api"]}})
    assert _offered(await scene.open_form(scene.bob), "Environment") == ["staging"]
    form = await scene.open_form(scene.alice)
    assert _offered(form, "Environment") == ["staging", "production"]
    assert _offered(form, "Service") == ["web"]


@ONE_DATABASE
async def test_a_value_that_was_not_offered_is_refused_when_it_is_forged(scene: Scene) -> None:
    await _apply(scene, BOB_IN_STAGING)
    await scene.open_form(scene.bob)
    await scene.bob.fill({"Service": "web"})
    forged = scene.bob.submission()
    option = {"text": {"type": "plain_text", "text": "production"}, "value": "production"}
    forged["view"]["state"]["values"]["input:env"]["input"]["selected_option"] = option
    ack = await scene.slack.deliver("interactive", forged)
    assert "not with these values" in words(ack.json["view"])
    assert scene.starts == []


# ---------------------------------------------------------------------------------------------------------------- locks


async def test_a_lock_is_announced_keeps_others_away_and_ends_by_its_owner(scene: Scene) -> None:
    await _apply(scene, ALICE_IN_OPS, BOB_IN_STAGING)
    await scene.alice.command(OPS, f"/workflow lock {RESTART} env=staging moving the database for 2h")
    said = await scene.told(scene.bob, f"<@{ALICE}> has locked `{RESTART} env=staging`")
    assert "moving the database" in said
    await scene.bob.command(OPS, RUN)
    refused = await scene.told_privately(scene.bob, "is locked: “moving the database”, says Alice Moreau")
    assert "Come back after" in refused
    await scene.bob.command(OPS, f"/workflow unlock {RESTART} env=staging")
    await scene.told_privately(scene.bob, "You may not lock or unlock")
    await scene.alice.command(OPS, f"/workflow unlock {RESTART} env=staging")
    await scene.told(scene.bob, f"<@{ALICE}> has unlocked")
    await scene.bob.command(OPS, RUN)
    await scene.only_run(State.RUNNING)
    acts = await scene.acts()
    assert acts[:4] == ["locked", "denied", "lock denied", "unlocked"]


@ONE_DATABASE
async def test_a_lock_on_one_value_leaves_the_others_free(scene: Scene) -> None:
    await _apply(scene)
    await scene.alice.command(OPS, f"/workflow lock {RESTART} env=production release night")
    await scene.told(scene.alice, "has locked")
    await scene.alice.command(OPS, f"{RUN} env=staging")
    await scene.only_run(State.RUNNING)


@ONE_DATABASE
async def test_an_admin_may_force_a_lock_and_that_is_announced(scene: Scene) -> None:
    await scene.alice.command(OPS, f"/workflow lock {RESTART} away for lunch")
    await scene.told(scene.alice, "has locked")
    await _admin(scene).command(OPS, f"/workflow unlock {RESTART}")
    await scene.told(scene.bob, f"<@{ADMIN}> has released <@{ALICE}>'s lock on `{RESTART}` by force.")
    _, unlocked = await scene.records()
    assert (unlocked["act"], unlocked["forced"], unlocked["owner"]) == ("unlocked", True, ALICE)


@ONE_DATABASE
async def test_who_may_not_run_it_may_not_lock_it(scene: Scene) -> None:
    await scene.bob.command(OPS, f"/workflow lock {RESTART} because I can")
    await scene.told_privately(scene.bob, "You may not lock or unlock")
    assert await scene.acts() == ["lock denied"]
    await scene.alice.command(OPS, f"/workflow lock {RESTART}")
    await scene.told_privately(scene.alice, "with a reason")


async def test_a_run_locks_its_values_until_it_is_over(scene: Scene) -> None:
    await _apply(scene, workflow={"lock_on": ["env"]})
    await scene.alice.command(OPS, RUN)
    run = await scene.only_run(State.RUNNING)
    await scene.alice.command(OPS, RUN)
    await scene.told_privately(
        scene.alice, f"run {run.id} with the same env is not over", "Come back when that is over."
    )
    assert len(await scene.runs()) == 1
    await scene.alice.command(OPS, f"{RUN} env=production")
    await scene.told(scene.alice, "production")
    assert len(await scene.runs()) == 2


# --------------------------------------------------------------------------------------------------- freezes and limits


@ONE_DATABASE
async def test_a_freeze_refuses_in_form_and_command_and_says_when_it_ends(scene: Scene) -> None:
    now = datetime.now(UTC)
    freeze = {
        "run": ["tag:ops"],
        "from": (now - timedelta(hours=1)).isoformat(),
        "until": (now + timedelta(hours=5)).isoformat(),
        "reason": "release freeze",
    }
    await _apply(scene, more={"freezes": [freeze]})
    await scene.alice.command(OPS, RUN)
    said = await scene.told_privately(scene.alice, f"`{RESTART}` is frozen: release freeze.")
    assert f"Come back after <!date^{int((now + timedelta(hours=5)).timestamp())}^" in said
    assert "Just now it would not start." in words(await scene.open_form(scene.alice))
    (record,) = await scene.records()
    assert (record["act"], record["reason"], record["because"]) == ("denied", "frozen", "release freeze")
    assert scene.starts == []


@pytest.mark.parametrize(
    ("limits", "reason", "said"),
    [
        ({"at_once": 1}, "too many at once", "1 of at most 1 are under way. Come back when that is over."),
        ({"cool_down": "1h"}, "cooling down", "1 hour between runs. Come back after"),
        ({"per_person": "1/2h"}, "too many by this person", "1 within 2 hours. Come back after"),
    ],
)
@ONE_DATABASE
async def test_a_limit_refuses_the_next_run_and_says_when_to_come_back(
    scene: Scene, limits: Json, reason: str, said: str
) -> None:
    await _apply(scene, workflow={"limits": limits})
    await scene.alice.command(OPS, RUN)
    await scene.only_run(State.RUNNING)
    await scene.alice.command(OPS, RUN)
    await scene.told_privately(scene.alice, said)
    (denied,) = [record for record in await scene.records() if record["act"] == "denied"]
    assert denied["reason"] == reason
    assert len(await scene.runs()) == 1


# --------------------------------------------------------------------------------------------------------------- grants


async def _grants_modal(scene: Scene) -> Json:
    await _admin(scene).command(OPS, "/workflow grants")
    view: Json = await _admin(scene).wait_for_view(lambda v: v["callback_id"] == "grants")
    return view


async def test_an_admin_gives_a_grant_and_takes_it_back(scene: Scene) -> None:
    await _grants_modal(scene)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    await _admin(scene).fill({"Who": BOB, "May run": RESTART, "Where": OPS, "Until the end of": tomorrow})
    await _admin(scene).submit()
    view = await _admin(scene).wait_for_view(lambda v: f"{BOB} gains {RESTART} in {OPS}" in words(v))
    assert "until" in words(view)
    await scene.bob.command(OPS, RUN)
    await scene.only_run(State.RUNNING)
    await _admin(scene).press("take_back_grant")
    await _admin(scene).wait_for_view(lambda v: "Grants given so far*: none" in words(v))
    await scene.bob.command(OPS, RUN)
    await scene.told_privately(scene.bob, "No rule lets you run")
    acts = [act for act in await scene.acts() if act.startswith("grant")]
    assert acts == ["grant added", "grant removed"]


@ONE_DATABASE
async def test_only_admins_may_give_grants(scene: Scene) -> None:
    await scene.alice.command(OPS, "/workflow grants")
    await scene.told_privately(scene.alice, "Only admins may give grants.")
    await _grants_modal(scene)
    await _admin(scene).fill({"Who": BOB, "May run": RESTART})
    forged = _admin(scene).submission()
    forged["user"]["id"] = BOB
    ack = await scene.slack.deliver("interactive", forged)
    assert "Only admins may give grants." in words(ack.json["view"])
    assert await scene.world.bot.store.read(lambda tx: [g for g in tx.all_grants() if not g.from_file]) == []


@ONE_DATABASE
async def test_a_grant_given_twice_is_one_and_taken_back_at_once(scene: Scene) -> None:
    await _grants_modal(scene)
    await _admin(scene).fill({"Who": BOB, "May run": RESTART})
    submission = _admin(scene).submission()
    for _ in range(2):
        assert (await scene.slack.deliver("interactive", submission)).ok
    await _admin(scene).close_view()
    assert words(await _grants_modal(scene)).count(f"{BOB} gains {RESTART}") == 1
    await _admin(scene).press("take_back_grant")
    await _admin(scene).wait_for_view(lambda v: "Grants given so far*: none" in words(v))
    assert await scene.acts() == ["grant added", "grant removed"]


@pytest.mark.parametrize(
    ("block", "said"), [("grant:person", "Choose a person."), ("grant:workflow", "Choose a workflow.")]
)
@pytest.mark.parametrize("left", [None, {}])
@ONE_DATABASE
async def test_a_grant_without_a_person_or_a_workflow_is_refused_at_the_field(
    scene: Scene, block: str, said: str, left: Json | None
) -> None:
    await _grants_modal(scene)
    await _admin(scene).fill({"Who": BOB, "May run": RESTART})
    forged = _admin(scene).submission()
    values = forged["view"]["state"]["values"]
    block += ":0"
    if left is None:
        del values[block]
    else:
        values[block] = {action: dict.fromkeys(state) for action, state in values[block].items()}
    ack = await scene.slack.deliver("interactive", forged)
    assert ack.json == {"response_action": "errors", "errors": {block: said}}
    assert await scene.records() == []


@ONE_DATABASE
async def test_the_form_is_empty_after_each_grant_and_keeps_what_was_typed_when_one_is_taken_back(
    scene: Scene,
) -> None:
    await _grants_modal(scene)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    for number, person in enumerate([BOB, ALICE]):
        await _admin(scene).fill({"Who": person, "May run": RESTART, "Where": OPS, "Until the end of": tomorrow})
        await _admin(scene).submit()
        view = await _admin(scene).wait_for_view(lambda v, person=person: f"{person} gains" in words(v))
        assert _held(view) == [None] * 4, number
    await _admin(scene).fill({"Who": BOB})
    await _admin(scene).press("take_back_grant")
    view = await _admin(scene).wait_for_view(lambda v: "Grants given so far*: 1" in words(v))
    assert _held(view) == [BOB, None, None, None]


def _held(view: Json) -> list[Any]:
    (who,), (workflow,), (channel,), (until,) = [
        [
            state
            for block, fields in view["state"]["values"].items()
            if block.startswith(name)
            for state in fields.values()
        ]
        for name in ("grant:person", "grant:workflow", "grant:channel", "grant:until")
    ]
    held = (who["selected_user"], workflow["selected_option"], channel["selected_conversation"], until["selected_date"])
    return list(held)


@ONE_DATABASE
async def test_a_grant_in_the_past_is_refused_and_one_that_is_over_counts_no_more(scene: Scene) -> None:
    await _grants_modal(scene)
    await _admin(scene).fill({"Who": BOB, "May run": RESTART, "Until the end of": "2020-01-01"})
    result = await _admin(scene).submit()
    assert "would have ended already" in json.dumps(result.errors)
    await _admin(scene).fill({"Until the end of": (datetime.now(UTC) + timedelta(days=1)).date().isoformat()})
    await _admin(scene).submit()
    await _admin(scene).wait_for_view(lambda v: f"{BOB} gains {RESTART}" in words(v))
    then = (datetime.now(UTC) - timedelta(seconds=1)).isoformat(" ")[:26]
    over = sa.text("UPDATE grants SET until = :then WHERE rule = 0")
    await scene.world.bot.store.write(lambda tx: tx.connection.execute(over, {"then": then}) and None)
    await scene.bob.command(OPS, RUN)
    await scene.told_privately(scene.bob, "No rule lets you run")


# --------------------------------------------------------------------------------------------------------------- groups


@ONE_DATABASE
async def test_a_group_is_allowed_and_left_out_of_it_one_is_not(scene: Scene) -> None:
    scene.slack.add_group(SRE, [BOB])
    await _apply(scene, {"allow": [SRE], "run": ["tag:ops"], "in": [OPS]})
    await scene.alice.command(OPS, RUN)
    await scene.told_privately(scene.alice, "No rule lets you run")
    await scene.bob.command(GENERAL, RUN)
    await scene.told_privately(scene.bob, "not in this channel", channel=GENERAL)
    await scene.bob.command(OPS, RUN)
    run = await scene.only_run(State.RUNNING)
    assert run.user_id == BOB


@ONE_DATABASE
async def test_a_group_that_is_denied_is_denied_whatever_allows_it(scene: Scene) -> None:
    scene.slack.add_group(SRE, [ALICE])
    await _apply(scene, ALICE_IN_OPS, {"deny": [SRE], "run": ["*"]})
    await scene.alice.command(OPS, RUN)
    said = await scene.told_privately(scene.alice, "rule 2 of the policy")
    assert f"deny {SRE} to run anything" in said
    assert scene.starts == []


@ONE_DATABASE
async def test_a_deny_by_group_is_not_slipped_by_while_slack_can_not_be_asked(scene: Scene) -> None:
    scene.slack.add_group(SRE, [ALICE])
    await _apply(scene, ALICE_IN_OPS, {"deny": [SRE], "run": ["*"]})
    scene.slack.faults.fail("usergroups.users.list", "internal_error", times=None)
    await scene.alice.command(OPS, RUN)
    await scene.told_privately(scene.alice, "can't tell who you are, and nothing was started")
    assert scene.starts == []
    assert await scene.runs() == []


# ---------------------------------------------------------------------------------------- definitions, and their account


async def test_a_form_on_an_old_definition_starts_nothing_and_says_what_changed(scene: Scene) -> None:
    workflow_id = await _apply(scene)
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})
    reason = {"name": "reason", "type": "STRING", "label": "Reason"}
    spec = make_spec([SERVICE, ENV, reason], ["Step1"], api_trigger=True)
    scene.datadog.change_workflow(workflow_id, spec=spec)

    await scene.alice.submit()

    said = await scene.told(
        scene.alice, "The workflow was changed in Datadog after its form was opened: new input reason"
    )
    assert "Nothing was started." in said
    await scene.only_run(State.NOT_STARTED)
    assert scene.starts == []
    form = await scene.open_form(scene.alice)
    assert [b["label"]["text"] for b in form["blocks"] if b["type"] == "input"] == ["Service", "Environment", "Reason"]
    await scene.alice.fill({"Service": "web", "Reason": "a leak"})
    assert (await scene.alice.submit()).happened == "closed"
    await scene.told(scene.alice, "running")
    assert scene.payloads == [{"service": "web", "env": "staging", "reason": "a leak"}]


@ONE_DATABASE
async def test_a_run_in_an_account_without_keys_says_so(scene: Scene) -> None:
    eu = {"eu": {"site": "datadoghq.eu", "api_key_env": "NO_SUCH_KEY", "app_key_env": "NO_SUCH_APP_KEY"}}
    await _apply(scene, workflow={"account": "eu"}, more={"accounts": eu})
    await scene.alice.command(OPS, RUN)
    said = await scene.told(scene.alice, "No keys are configured for the Datadog account “eu”")
    assert re.search("Nothing was started", said)
    await scene.only_run(State.NOT_STARTED)
    assert scene.starts == []
