"""Locks as people take them in Slack: on lists, by whom, for how long, and what they are told where there is none to take."""

from __future__ import annotations

import pytest

from bot.domain.runs import State
from tests.acceptance.scene import (
    ADMIN,
    ALICE,
    ALICE_IN_OPS,
    BOB,
    ENV,
    ONE_DATABASE,
    OPS,
    RESTART,
    SERVICE,
    Json,
    Scene,
    until,
)
from tests.acceptance.steps import is_running

RUN = f"/workflow run {RESTART}"
LOCK = f"/workflow lock {RESTART}"
UNLOCK = f"/workflow unlock {RESTART}"

HOSTS: Json = {"name": "hosts", "type": "ARRAY_STRING", "label": "Hosts"}
BOB_IN_STAGING: Json = {"allow": [BOB], "run": [RESTART], "when": {"env": ["staging"]}}
BOB_NEVER_IN_PRODUCTION: Json = {"deny": [BOB], "run": [RESTART], "when": {"env": ["production"]}}


async def _offer(
    scene: Scene, *rules: Json, parameters: list[Json] | None = None, lock_on: list[str] | None = None
) -> None:
    workflow_id = scene.datadog.add_workflow(name="Restart", parameters=parameters or [SERVICE, ENV], step_seconds=60)
    await scene.apply({RESTART: {"id": workflow_id, "lock_on": lock_on or []}}, rules or [ALICE_IN_OPS])


async def _locked(scene: Scene, words: str) -> None:
    await scene.alice.command(OPS, f"{LOCK} {words}")
    await scene.told(scene.alice, f"<@{ALICE}> has locked")


# ----------------------------------------------------------------------------------------------------- what a lock holds


@pytest.mark.parametrize("hosts", ["web-1", "web-2,web-1", "web-3,web-2"])
@ONE_DATABASE
async def test_a_lock_on_a_list_holds_every_run_on_one_of_its_items(scene: Scene, hosts: str) -> None:
    await _offer(scene, parameters=[HOSTS])
    await _locked(scene, "hosts=web-1,web-2 new disks")

    await scene.alice.command(OPS, f"{RUN} hosts={hosts}")

    await scene.told_privately(scene.alice, "is locked: “new disks”")
    await scene.alice.command(OPS, f"{RUN} hosts=web-3")
    assert (await is_running(scene)).inputs == {"hosts": ["web-3"]}


# -------------------------------------------------------------------------------------------------------- who may take it


@pytest.mark.parametrize(
    ("rules", "lock", "taken"),
    [
        ([BOB_IN_STAGING], "env=staging", True),
        ([BOB_IN_STAGING], "env=production", False),
        ([BOB_IN_STAGING], "", False),
        ([BOB_IN_STAGING], "service=web", False),
        ([{"allow": [BOB], "run": [RESTART]}, BOB_NEVER_IN_PRODUCTION], "env=staging", True),
        ([{"allow": [BOB], "run": [RESTART]}, BOB_NEVER_IN_PRODUCTION], "", False),
        ([{"allow": [BOB], "run": [RESTART]}, BOB_NEVER_IN_PRODUCTION], "service=web", False),
        ([{"allow": [BOB], "run": [RESTART], "in": ["C02GENERAL"]}], "", False),
    ],
)
@ONE_DATABASE
async def test_nobody_locks_others_out_of_what_they_may_not_run_themselves(
    scene: Scene, rules: list[Json], lock: str, taken: bool
) -> None:
    await _offer(scene, *rules)

    await scene.bob.command(OPS, f"{LOCK} {lock} because I can")

    if taken:
        await scene.told(scene.alice, f"<@{BOB}> has locked `{RESTART} {lock}`")
    else:
        await scene.told_privately(scene.bob, "You may not lock or unlock")
    assert await scene.acts() == ["locked" if taken else "lock denied"]


@ONE_DATABASE
async def test_a_lock_of_somebody_else_is_not_taken_over_and_ones_own_is_renewed(scene: Scene) -> None:
    await _offer(scene, ALICE_IN_OPS, {"allow": [BOB], "run": ["*"]})
    await _locked(scene, "env=staging a deploy")

    await scene.bob.command(OPS, f"{LOCK} env=staging mine")
    await scene.told_privately(scene.bob, "is locked already", f"by <@{ALICE}>", "a deploy")
    await scene.alice.command(OPS, f"{LOCK} env=staging a longer deploy for 2d")
    await scene.told(scene.alice, "a longer deploy")

    (held,) = await scene.world.bot.store.read(lambda tx: tx.locks())
    assert (held.owner_id, held.reason) == (ALICE, "a longer deploy")
    assert (held.until - held.taken_at).days == 2
    await scene.alice.command(OPS, f"{UNLOCK} env=staging")
    await scene.told(scene.alice, "has unlocked")
    assert await scene.world.bot.store.read(lambda tx: tx.locks()) == []


# ------------------------------------------------------------------------------------------------------- what can't be done


@ONE_DATABASE
async def test_a_time_that_is_too_long_locks_nothing_and_the_longest_is_told(scene: Scene) -> None:
    await _offer(scene)
    for words in ("a deploy for 99d", "a deploy for 169h"):
        await scene.alice.command(OPS, f"{LOCK} {words}")
        await scene.told_privately(scene.alice, "A lock lasts 7 days at most", "`for 7d`", "Nothing was locked")
    assert await scene.records() == []
    await _locked(scene, "a deploy for 168h")


@pytest.mark.parametrize("words", ["a deploy for 2x", "a deploy for 90 for 1.5h", "a deploy for 2", "for 2h"])
@ONE_DATABASE
async def test_a_time_that_cannot_be_read_locks_nothing_and_is_told(scene: Scene, words: str) -> None:
    await scene.alice.command(OPS, f"{LOCK} {words}")

    await scene.told_privately(scene.alice, "reason for 2h", "with a reason")
    assert await scene.records() == []


@ONE_DATABASE
async def test_a_reason_may_hold_the_word_for(scene: Scene) -> None:
    await scene.alice.command(OPS, f"{LOCK} waiting for Bob")

    await scene.told(scene.alice, "waiting for Bob")


@pytest.mark.parametrize("deed", ["lock {} why not", "unlock {}"])
@pytest.mark.parametrize("name", ["no-such-workflow", "x" * 300])
@ONE_DATABASE
async def test_a_workflow_that_is_not_there_is_neither_locked_nor_unlocked(scene: Scene, deed: str, name: str) -> None:
    await scene.alice.command(OPS, f"/workflow {deed.format(name)}")

    said = await scene.told_privately(scene.alice, "There is no workflow called", name[:100])
    assert name[:101] not in said or len(name) < 101
    (denied,) = await scene.records()
    assert (denied["act"], denied["reason"], denied["workflow"]) == ("lock denied", "not in the catalogue", name[:100])


@ONE_DATABASE
async def test_the_lock_of_a_run_is_freed_by_the_values_that_were_typed_with_defaults_for_the_rest(
    scene: Scene,
) -> None:
    await _offer(scene, lock_on=["service", "env"])
    await scene.alice.command(OPS, f"{RUN} service=web")
    run = await scene.only_run(State.RUNNING)

    await scene.slack.person(ADMIN).command(OPS, f"{UNLOCK} service=web")

    await scene.told(scene.alice, f"<@{ADMIN}> has released the lock of run {run.id}")
    await scene.alice.command(OPS, f"{RUN} service=web")

    async def second() -> bool:
        return len(await scene.runs()) == 2

    await until(second)
