"""Approval as people meet it in Slack: asked before it starts, by those whom the rule names, and decided once."""

from __future__ import annotations

from bot.domain.runs import State
from tests.acceptance.approvals import (
    CARA,
    DAN,
    MANAGERS,
    REVIEWS,
    RUN,
    ask_for,
    asked,
    asks,
    offer_with_approval,
    shown,
    state_of,
)
from tests.acceptance.scene import ALICE, BOB, BOTH_DOORS, ONE_DATABASE, OPS, RESTART, Json, Scene, words
from tests.acceptance.steps import live, reply

AGAIN = RUN.replace("web", "api")


# ------------------------------------------------------------------------------------------------------- the main way


@BOTH_DOORS
async def test_a_run_that_needs_approval_starts_with_one_press(scene: Scene) -> None:
    await offer_with_approval(scene)
    run_id = await ask_for(scene)
    told = await scene.told(scene.alice, "*waits for approval* for", "1 of managers")
    assert "production" in told
    question = words(await asked(scene, scene.bob))
    for text in (f"<@{ALICE}> asks to run", "the disk is full", "*service*  `web`", "*env*  `production`", f"<@{BOB}>"):
        assert text in question
    assert scene.starts == []

    assert (await scene.bob.press("Approve")).ok

    await shown(scene, scene.bob, "*Approved*", f"<@{BOB}> approved", "The run: running")
    await scene.told(scene.alice, "is running for", f"Approved by <@{BOB}>")
    await scene.told(scene.alice, f"<@{ALICE}>", f"was approved by <@{BOB}>")
    assert scene.payloads == [{"service": "web", "env": "production"}]
    await state_of(scene, run_id, State.RUNNING)
    assert await scene.acts() == ["requested", "approval asked", "approved", "launching", "launched"]


async def test_the_record_of_each_step_names_approver_hash_and_policy(scene: Scene) -> None:
    await offer_with_approval(scene, asks(count=2))
    await ask_for(scene)
    await asked(scene, scene.bob)
    await scene.bob.press("Approve")
    await shown(scene, scene.bob, f"<@{BOB}> approved", "1 of managers")
    await scene.slack.person(CARA).press("Approve")
    await shown(scene, scene.bob, "*Approved*")
    records = {(body["act"], body["actor"]["user"]): body for body in await scene.records()}
    asked_for, first, last = records["approval asked", ALICE], records["approved", BOB], records["approved", CARA]
    assert asked_for["asks_for"] == "2 of managers"
    assert asked_for["reason_given"] == "the disk is full"
    assert (first["still_needed"], last["still_needed"]) == (["managers"], [])
    assert len(asked_for["bound_to"]) == 64
    assert {asked_for["bound_to"], first["bound_to"], last["bound_to"]} == {asked_for["bound_to"]}
    assert {body["policy"] for body in (asked_for, first, last)} == {2}


async def test_values_that_need_no_approval_start_at_once(scene: Scene) -> None:
    await offer_with_approval(scene)
    await scene.alice.command(OPS, f"/workflow run {RESTART} service=web env=staging")
    await scene.told(scene.alice, "is running for")
    assert scene.slack.messages(REVIEWS) == []


@ONE_DATABASE
async def test_the_form_says_beforehand_for_which_values_and_by_whom(scene: Scene) -> None:
    await offer_with_approval(scene, asks(count=2, expires="2h"))
    form = await scene.open_form(scene.alice)
    said = words(form)
    assert "With *Environment* `production` this needs approval by 2 of managers" in said
    assert f"(<@{BOB}>, <@{CARA}>), within 2 hours." in said
    await scene.alice.fill({"Service": "web", "Environment": "production"})
    result = await scene.alice.submit()
    assert result.errors == {"approval:reason": "This needs approval by 2 of managers: say why."}
    assert await scene.runs() == []
    await scene.alice.fill({"Reason": "the disk is full"})
    assert (await scene.alice.submit()).happened == "closed"
    await scene.only_run(State.AWAITING_APPROVAL)


@ONE_DATABASE
async def test_a_form_that_can_need_no_approval_asks_for_no_reason(scene: Scene) -> None:
    form = await scene.open_form(scene.alice)
    assert "approval" not in words(form)
    assert [b["block_id"] for b in form["blocks"] if b["type"] == "input"] == ["input:service", "input:env"]


@ONE_DATABASE
async def test_a_command_without_a_reason_opens_the_form_filled_in(scene: Scene) -> None:
    await offer_with_approval(scene)
    await scene.alice.command(OPS, f"/workflow run {RESTART} service=api env=production")
    form = await scene.alice.wait_for_view(lambda view: view["callback_id"] == "workflow_form")
    assert "This needs approval by 1 of managers" in words(form)
    await scene.alice.fill({"Reason": "it hangs"})
    assert (await scene.alice.submit()).happened == "closed"
    assert (await scene.only_run(State.AWAITING_APPROVAL)).inputs == {"service": "api", "env": "production"}


@ONE_DATABASE
async def test_why_and_a_dry_run_say_that_approval_is_asked_for(scene: Scene) -> None:
    await offer_with_approval(scene)
    await scene.alice.command(OPS, f"/workflow why {RESTART} service=web env=production")
    await scene.told_privately(scene.alice, "here after approval by 1 of managers", "rule 1 of the policy")
    await scene.alice.command(OPS, f"{RUN} --dry-run")
    await scene.told_privately(scene.alice, "Approval is asked for first", "POST ")
    assert await scene.runs() == []


# ----------------------------------------------------------------------------------------------------- refuse, withdraw


async def test_a_refusal_needs_a_reason_and_tells_the_requester(scene: Scene) -> None:
    await offer_with_approval(scene, asks(count=2))
    await ask_for(scene)
    await asked(scene, scene.bob)
    await scene.bob.press("Refuse…")
    window = await scene.bob.wait_for_view(lambda view: view["callback_id"] == "review")
    assert "*env*  `production`" in words(window)
    result = await scene.bob.submit()
    assert result.errors == {"review:comment": "Say why: the requester and the audit trail see it."}
    await scene.bob.fill({"Comment": "Not before the <!channel> release"})
    assert (await scene.bob.submit()).happened == "closed"
    told = await shown(scene, scene.bob, "*Refused*", f"<@{BOB}> refused")
    assert "Not before the &lt;!channel&gt; release" in told
    await scene.told(scene.alice, "was *refused* for")
    assert "Not before the" in words(await reply(scene))
    await scene.only_run(State.REFUSED)
    assert scene.starts == []
    assert (await scene.acts())[-1] == "refused"
    await scene.alice.command(OPS, "/workflow status")
    await scene.told_privately(scene.alice, "· refused", f"<@{BOB}> refused", "Not before the &lt;!channel&gt; release")
    # The buttons are gone for everybody.
    assert [block for block in (await _last(scene))["blocks"] if block["type"] == "actions"] == []
    await scene.alice.command(OPS, f"/workflow cancel {(await scene.only_run()).id}")
    await scene.told_privately(scene.alice, "is over (refused)")


async def _last(scene: Scene) -> Json:
    return scene.slack.messages(REVIEWS)[-1]


async def test_the_requester_can_withdraw_and_nobody_decides_any_more(scene: Scene) -> None:
    await offer_with_approval(scene)
    await ask_for(scene)
    question = await asked(scene, scene.bob)
    late = scene.bob.button_payload("Approve", question)
    await scene.told(scene.alice, "*waits for approval* for")
    await scene.alice.press("Withdraw", live(scene))
    await shown(scene, scene.bob, "*Withdrawn*", f"Withdrawn by <@{ALICE}>")
    await scene.told(scene.alice, "was *withdrawn* for")
    await scene.slack.deliver("interactive", late)
    await scene.told_privately(scene.bob, "is decided already", channel=REVIEWS)
    await scene.only_run(State.CANCELLED)
    assert await scene.acts() == ["requested", "approval asked", "withdrawn"]
    assert scene.starts == []


# ------------------------------------------------------------------------------------------------------- who may decide


async def test_the_requester_never_decides_on_their_own_run(scene: Scene) -> None:
    await offer_with_approval(scene, people={"managers": {"users": [ALICE, BOB]}})
    await ask_for(scene)
    await asked(scene, scene.alice)
    await scene.alice.press("Approve")
    await scene.told_privately(scene.alice, "is your own: somebody else has to decide on it.", channel=REVIEWS)
    await scene.only_run(State.AWAITING_APPROVAL)
    denied = (await scene.records())[-1]
    assert (denied["act"], denied["actor"]["user"], denied["reason"]) == (
        "review denied",
        ALICE,
        "the requester's own run",
    )


async def test_a_rule_that_says_so_lets_the_requester_approve_and_the_trail_shows_it(scene: Scene) -> None:
    await offer_with_approval(scene, asks(include_requester=True), people={"managers": {"users": [ALICE, BOB]}})
    await ask_for(scene)
    await asked(scene, scene.alice)
    await scene.alice.press("Approve")
    await scene.told(scene.alice, "is running for")
    approved = next(body for body in await scene.records() if body["act"] == "approved")
    assert (approved["actor"]["user"], approved["own"]) == (ALICE, True)


@ONE_DATABASE
async def test_somebody_who_is_not_an_approver_is_told_so(scene: Scene) -> None:
    await offer_with_approval(scene)
    await ask_for(scene)
    dan = scene.slack.person(DAN)
    await asked(scene, dan)
    await dan.press("Approve")
    await scene.told_privately(dan, "You are not among those who may decide", channel=REVIEWS)
    await dan.press("Refuse…")
    await scene.told_privately(dan, "You are not among those who may decide", channel=REVIEWS)
    await scene.only_run(State.AWAITING_APPROVAL)


@ONE_DATABASE
async def test_pressing_twice_counts_once_and_says_so(scene: Scene) -> None:
    await offer_with_approval(scene, asks(count=2))
    await ask_for(scene)
    question = await asked(scene, scene.bob)
    press = scene.bob.button_payload("Approve", question)
    await scene.slack.deliver("interactive", press)
    await scene.slack.deliver("interactive", press)
    await scene.told_privately(scene.bob, "You have answered for", channel=REVIEWS)
    await scene.only_run(State.AWAITING_APPROVAL)
    assert (await scene.acts()).count("approved") == 1


async def test_one_of_each_of_several_groups_has_to_approve(scene: Scene) -> None:
    people = {"managers": {"users": [BOB, CARA]}, "security": {"users": [CARA, DAN]}}
    rule = asks(**{"from": ["managers", "security"], "each": True})
    await offer_with_approval(scene, rule, people=people)
    await ask_for(scene)
    await shown(scene, scene.bob, "1 of managers", "1 of security")
    cara, dan = scene.slack.person(CARA), scene.slack.person(DAN)
    await cara.press("Approve")  # she is in both, and counts for one of them
    await shown(scene, scene.bob, f"<@{CARA}> approved", "*Still needed*")
    await scene.only_run(State.AWAITING_APPROVAL)
    await dan.press("Approve")  # which one Cara counts for gives way
    await scene.told(scene.alice, "is running for", f"Approved by <@{CARA}> and <@{DAN}>")


# ------------------------------------------------------------------------------------------------------------ who is asked


async def test_without_a_channel_each_member_of_a_group_is_asked_directly_and_once(scene: Scene) -> None:
    people = {"managers": {"users": [BOB], "groups": [MANAGERS]}}
    await offer_with_approval(scene, asks(channel=None), people=people)
    await ask_for(scene)
    cara = scene.slack.person(CARA)
    for person in (scene.bob, cara):
        assert "asks to run" in words(await asked(scene, person, person.dm))
    await cara.press("Approve")
    await shown(scene, scene.bob, "*Approved*", f"<@{CARA}> approved", channel=scene.bob.dm)
    assert len([m for m in scene.slack.messages(scene.bob.dm) if "Restart" in words(m)]) == 1
    assert scene.slack.messages(scene.alice.dm) == []


@ONE_DATABASE
async def test_where_the_review_channel_is_closed_to_the_bot_each_approver_is_asked_directly(scene: Scene) -> None:
    await offer_with_approval(scene)
    scene.slack.workspace.channels[REVIEWS].is_archived = True
    await ask_for(scene)
    await asked(scene, scene.bob, scene.bob.dm)
    await scene.bob.press("Approve")
    await scene.told(scene.alice, "is running for")


async def test_everyone_else_may_approve_where_the_rule_says_so(scene: Scene) -> None:
    await offer_with_approval(scene, asks(**{"from": ["*"]}))
    await ask_for(scene)
    dan = scene.slack.person(DAN)
    await asked(scene, dan)
    await scene.alice.press("Approve", (await asked(scene, scene.alice)))
    await scene.told_privately(scene.alice, "is your own", channel=REVIEWS)
    await dan.press("Approve")
    await scene.told(scene.alice, "is running for")


@ONE_DATABASE
async def test_a_guest_in_the_group_is_not_shown_what_they_may_not_decide(scene: Scene) -> None:
    furnish_guest = scene.slack.add_person("U08GUEST", "Gil Guest", is_restricted=True)
    await offer_with_approval(scene, asks(channel=None), people={"managers": {"groups": [MANAGERS]}})
    scene.slack.add_group(MANAGERS, [BOB, furnish_guest.id], "managers")
    await ask_for(scene)
    await asked(scene, scene.bob, scene.bob.dm)
    assert scene.slack.messages(furnish_guest.dm) == []


@ONE_DATABASE
async def test_an_escalation_reaches_its_people_where_the_channel_is_closed_to_the_bot(
    scene: Scene, impatient: None
) -> None:
    people = {"managers": {"users": [BOB]}, "directors": {"users": [DAN]}}
    rule = asks(escalate={"to": ["directors"], "after": "2s"}, expires="1h")
    await offer_with_approval(scene, rule, people=people)
    scene.slack.workspace.channels[REVIEWS].is_archived = True
    await ask_for(scene)
    await asked(scene, scene.bob, scene.bob.dm)
    dan = scene.slack.person(DAN)
    await asked(scene, dan, dan.dm)


@ONE_DATABASE
async def test_what_was_typed_for_the_approvers_is_still_in_the_form_that_opens(scene: Scene) -> None:
    await offer_with_approval(scene, asks(break_glass="1h"))
    await scene.alice.command(OPS, f"/workflow run {RESTART} env=production --reason disk --break-glass")
    form = await scene.alice.wait_for_view(lambda view: view["callback_id"] == "workflow_form")
    elements = {block["block_id"]: block.get("element", {}) for block in form["blocks"]}
    assert elements["approval:reason"]["initial_value"] == "disk"
    assert elements["approval:glass"]["initial_options"]
