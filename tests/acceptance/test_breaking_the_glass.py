"""Break-glass: a run starts without approval where the rule allows it, everybody hears of it, and it is reviewed after."""

from __future__ import annotations

from pathlib import Path

from bot.domain.runs import State
from tests.acceptance.approvals import CARA, DAN, REVIEWS, RUN, asks, offer_with_approval, shown, until_over
from tests.acceptance.scene import ALICE, AUDIT, BOB, ONE_DATABASE, OPS, Scene, words
from tests.integration.command_line import command

GLASS = f"{RUN} --break-glass"


async def _alert(scene: Scene) -> None:
    await scene.bob.wait_for_message(REVIEWS, lambda m: "*broke the glass*" in words(m))


async def test_the_run_starts_at_once_and_everybody_who_would_have_approved_is_alerted(scene: Scene) -> None:
    await offer_with_approval(scene, asks(break_glass="2h"))
    await scene.alice.command(OPS, GLASS)
    told = await scene.told(scene.alice, "is running for", "Started *without approval*")
    assert "to be reviewed by one of managers" in told
    alert = await shown(scene, scene.bob, f"<@{ALICE}> *broke the glass*", "the disk is full", f"<@{BOB}>, <@{CARA}>")
    assert "*env*  `production`" in alert
    await scene.told(scene.bob, "glass broken", channel=AUDIT)
    assert scene.payloads == [{"service": "web", "env": "production"}]
    assert (await scene.acts())[:2] == ["requested", "glass broken"]


async def test_the_rule_that_allows_it_is_the_one_by_which_it_is_broken_and_reviewed(scene: Scene) -> None:
    strict = asks(count=2, break_glass="2h")
    await offer_with_approval(scene, asks(**{"from": [DAN]}), strict)
    await scene.alice.command(OPS, GLASS)
    assert "to be reviewed by one of managers" in await scene.told(scene.alice, "is running for")
    (broken,) = [body for body in await scene.records() if body["act"] == "glass broken"]
    assert (broken["rule"], broken["approvers"]) == (2, [BOB, CARA])
    await scene.alice.command(OPS, RUN.replace("web", "api"))
    await scene.told(scene.alice, "*waits for approval*", f"Still needed: <@{DAN}>")


async def test_the_review_stays_open_until_somebody_else_signs_it_off(scene: Scene) -> None:
    await offer_with_approval(scene, asks(break_glass="2h"), people={"managers": {"users": [ALICE, BOB]}})
    await scene.alice.command(OPS, GLASS)
    await _alert(scene)
    await scene.alice.press("Sign off", scene.slack.messages(REVIEWS)[-1])
    await scene.told_privately(scene.alice, "is your own", channel=REVIEWS)
    await scene.bob.press("Comment…", scene.slack.messages(REVIEWS)[0])
    await scene.bob.wait_for_view(lambda view: view["callback_id"] == "review")
    await scene.bob.fill({"Comment": "Right thing to do"})
    assert (await scene.bob.submit()).happened == "closed"
    await shown(scene, scene.bob, "*Reviewed*", f"<@{BOB}> signed it off", "Right thing to do")
    await scene.told(scene.alice, "reviewed since", f"<@{BOB}> signed it off")
    reviewed = [body for body in await scene.records() if body["act"] == "reviewed"]
    assert [(body["actor"]["user"], body["agrees"], body["comment"]) for body in reviewed] == [
        (BOB, True, "Right thing to do")
    ]


async def test_a_reviewer_may_object_and_the_trail_keeps_it(scene: Scene) -> None:
    await offer_with_approval(scene, asks(break_glass="2h"))
    await scene.alice.command(OPS, GLASS)
    await _alert(scene)
    await scene.bob.press("Comment…")
    await scene.bob.wait_for_view(lambda view: view["callback_id"] == "review")
    await scene.bob.fill({"Your answer": "It was not right", "Comment": "There was no emergency"})
    assert (await scene.bob.submit()).happened == "closed"
    await shown(scene, scene.bob, "*Reviewed*", f"<@{BOB}> objects to it", "There was no emergency")
    assert [body["agrees"] for body in await scene.records() if body["act"] == "reviewed"] == [False]


async def test_an_overdue_review_is_reminded_of_and_listed(scene: Scene, impatient: None, tmp_path: Path) -> None:
    await offer_with_approval(scene, asks(break_glass="1s", remind="1s"))
    await scene.alice.command(OPS, GLASS)
    await scene.told(scene.bob, ":bell:", "still has to be reviewed", channel=REVIEWS)
    run = await scene.only_run()
    await until_over(scene, run.id)
    await scene.bob.command(OPS, "/workflow pending")
    await scene.told_privately(scene.bob, "to be reviewed", "*overdue*")
    ended = await command(tmp_path, "approvals", "list", "--overdue", DATABASE_URL=scene.database_url)
    assert (ended.code, run.id in ended.output, "overdue" in ended.output) == (0, True, True)


@ONE_DATABASE
async def test_the_form_offers_it_only_where_the_rule_allows_it_and_still_asks_why(scene: Scene) -> None:
    await offer_with_approval(scene, asks(break_glass="2h"))
    form = await scene.open_form(scene.alice)
    assert "Break the glass: start at once" in str(form["blocks"])
    await scene.alice.fill({"Service": "web", "Environment": "production", "Can't wait?": ["yes"]})
    assert "say why" in (await scene.alice.submit()).errors["approval:reason"]
    await scene.alice.fill({"Reason": "everything is down"})
    assert (await scene.alice.submit()).happened == "closed"
    await scene.only_run(State.RUNNING)


@ONE_DATABASE
async def test_broken_glass_breaks_neither_locks_nor_freezes(scene: Scene) -> None:
    await offer_with_approval(scene, asks(break_glass="2h"), workflow={"lock_on": ["env"]})
    await scene.alice.command(OPS, GLASS)
    await scene.told(scene.alice, "is running for")
    await scene.alice.command(OPS, GLASS.replace("web", "api"))
    await scene.told_privately(scene.alice, "with the same env is not over")
    assert len(scene.starts) == 1


@ONE_DATABASE
async def test_each_approver_is_alerted_directly_where_no_channel_is_named(scene: Scene) -> None:
    await offer_with_approval(scene, asks(channel=None, break_glass="2h"))
    await scene.alice.command(OPS, GLASS)
    for person in (scene.bob, scene.slack.person(CARA)):
        await person.wait_for_message(person.dm, lambda m: "*broke the glass*" in words(m))
