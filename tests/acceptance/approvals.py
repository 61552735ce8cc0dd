"""A scene in which Alice needs approval for production, by managers: what tests of approval share."""

from __future__ import annotations

from typing import Any

from bot.domain.runs import State
from bot.sandbox.slack import Person
from bot.use_cases.ports import Reading
from tests.acceptance.scene import ALICE, BOB, ENV, OPS, RESTART, SERVICE, Json, Scene, until, words

CARA, DAN, REVIEWS = "U03CARA", "U04DAN", "C04REVIEWS"
MANAGERS = "S01MANAGERS"
RUN = f'/workflow run {RESTART} service=web env=production --reason "the disk is full"'


def asks(**fields: Any) -> Json:
    """The rule: Alice may run anything in production in #ops, after approval."""
    approval = {"from": ["managers"], "count": 1, "channel": REVIEWS, **fields}
    approval = {name: value for name, value in approval.items() if value is not None}
    return {"allow": [ALICE], "run": [RESTART], "in": [OPS], "when": {"env": ["production"]}, "approval": approval}


STAGING: Json = {"allow": [ALICE], "run": [RESTART], "in": [OPS], "when": {"env": ["staging"]}}


def furnish(scene: Scene) -> None:
    """Two more people, a channel for reviews, and a user group of managers."""
    scene.slack.add_person(CARA, "Cara Lindt")
    scene.slack.add_person(DAN, "Dan Okafor")
    scene.slack.add_channel(REVIEWS, "reviews")
    scene.slack.add_group(MANAGERS, [BOB, CARA], "managers")


async def offer_with_approval(
    scene: Scene, *rules: Json, people: Json | None = None, workflow: Json | None = None, seconds: float = 60.0
) -> str:
    """Apply a policy in which the rules ask for approval; its managers are Bob and Cara."""
    furnish(scene)
    return await apply_with_approval(scene, *rules, people=people, workflow=workflow, seconds=seconds)


async def apply_with_approval(
    scene: Scene, *rules: Json, people: Json | None = None, workflow: Json | None = None, seconds: float = 60.0
) -> str:
    import json

    workflow_id = scene.datadog.add_workflow(
        name="Restart a service", parameters=[SERVICE, ENV], step_seconds=seconds, steps=("Restart pods",)
    )
    policy = {
        "version": 1,
        "people": {"managers": {"users": [BOB, CARA]}, **(people or {})},
        "workflows": {RESTART: {"id": workflow_id, "title": "Restart a service", **(workflow or {})}},
        "rules": [*(rules or (asks(),)), STAGING],
    }
    await scene.world.apply(json.dumps(policy))
    return workflow_id


async def ask_for(scene: Scene, command: str = RUN) -> str:
    """Alice asks; returns the id of the run that waits."""
    await scene.alice.command(OPS, command)
    run = await scene.only_run(State.AWAITING_APPROVAL)
    if scene.alice.views:  # on a busy machine a window says first that it takes a moment
        await scene.alice.close_view(all_of_them=True)
    return run.id


async def asked(scene: Scene, person: Person, channel: str = REVIEWS) -> Json:
    """What the person was asked, once they were."""
    return await person.wait_for_message(channel, lambda m: "asks to run" in words(m) and not m["thread_ts"])


async def shown(scene: Scene, person: Person, *texts: str, channel: str = REVIEWS) -> str:
    """Wait until the approvers' message says all of this."""
    return await scene.told(person, *texts, channel=channel)


async def state_of(scene: Scene, run_id: str, state: State) -> None:
    async def look() -> bool:
        run = await scene.world.bot.store.read(lambda tx: tx.run(run_id))
        return run is not None and run.state is state

    await until(look)


async def until_over(scene: Scene, run_id: str) -> None:
    def over(tx: Reading) -> bool:
        standing = tx.standing(run_id)
        return standing is not None and standing.approval.expires_at <= tx.now

    await until(lambda: scene.world.bot.store.read(over))
