"""`/workflow audit`: auditors and admins look through the trail, nobody else does, and that somebody looked is in it."""

from __future__ import annotations

import pytest

from bot.domain.runs import State
from tests.acceptance.scene import ADMIN, ALICE, BOB, ONE_DATABASE, OPS, RESTART, Scene, until

RUN = f"/workflow run {RESTART} service=web"
auditor_bob = pytest.mark.parametrize("environment", [{"AUDITORS": BOB}])


async def ran(scene: Scene) -> str:
    await scene.alice.command(OPS, RUN)
    run = await scene.only_run(State.SUCCEEDED)

    async def recorded() -> bool:
        return (await scene.acts())[-1] == "ended"

    await until(recorded)
    return run.id


@auditor_bob
async def test_an_auditor_finds_what_somebody_did_and_that_is_recorded(scene: Scene) -> None:
    run_id = await ran(scene)
    await scene.bob.command(OPS, f"/workflow audit <@{ALICE}> {run_id} act=ended")
    said = await scene.told_privately(scene.bob, "ended", "Alice Moreau", run_id)
    assert "requested" not in said
    read = (await scene.records())[-1]
    assert (read["act"], read["actor"]["user"], read["count"]) == ("trail read", BOB, 1)
    assert read["filters"] == {"user": ALICE, "run": run_id, "act": "ended"}


@ONE_DATABASE
@auditor_bob
@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("", "ended"),
        (RESTART, "launched"),
        ("outcome=succeeded", "ended"),
        ("act='launch refused'", "Nothing in the trail fits."),
        ("since=2999-01-01", "Nothing in the trail fits."),
        ("until=2999-01-01 outcome=denied", "Nothing in the trail fits."),
        ("act=lanched", "Did you mean “launched”?"),
        ("when=never", "“when” is no filter that the trail knows."),
        ("since=yesterday", "is no moment"),
        (f"{RESTART} {RESTART}", "is one workflow too many"),
    ],
)
async def test_what_is_looked_for_is_given_bare_or_by_name(scene: Scene, typed: str, shown: str) -> None:
    await ran(scene)
    await scene.bob.command(OPS, f"/workflow audit {typed}")
    await scene.told_privately(scene.bob, shown)


@ONE_DATABASE
async def test_admins_may_and_others_are_refused_on_record(scene: Scene) -> None:
    await ran(scene)
    await scene.slack.person(ADMIN).command(OPS, "/workflow audit")
    await scene.told_privately(scene.slack.person(ADMIN), "requested")
    await scene.alice.command(OPS, "/workflow audit")
    said = await scene.told_privately(scene.alice, "Only auditors and admins may")
    assert "requested" not in said
    denied = (await scene.records())[-1]
    assert (denied["act"], denied["wanted"], denied["actor"]["user"]) == ("admin denied", "audit", ALICE)


@ONE_DATABASE
@pytest.mark.parametrize("environment", [{"AUDITORS": "U44GUEST"}])
async def test_an_auditor_who_is_no_full_member_any_more_is_refused(scene: Scene) -> None:
    scene.slack.add_person("U44GUEST", "Gus Guest", is_restricted=True)
    await scene.slack.person("U44GUEST").command(OPS, "/workflow audit")
    await scene.told_privately(scene.slack.person("U44GUEST"), "Only auditors and admins may")
    assert (await scene.acts()) == ["admin denied"]
