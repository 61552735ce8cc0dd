"""Real payloads of every kind that the bot has a listener for: what a small company sent it, and the rest made from that."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

from bot.domain.runs import State
from bot.slack.ids import Event
from tests.acceptance.approvals import CARA, MANAGERS, asked, asks, furnish
from tests.acceptance.scene import ADMIN, ALICE, BOB, ENV, OPS, RESTART, SERVICE, Scene, until
from tests.fuzz.mutations import Seed

COMMANDS = (
    "",
    "help",
    "list",
    "status",
    "history",
    "pending",
    "run restart-service service=web env=staging",
    "run many",
    "audit act=requested",
    "run restart-service --dry-run",
    "why restart-service env=production",
    "why restart-service <@U02BOB>",
    "lock many reason for 1m",
    "unlock many",
    "grants",
    "import",
    "authenticator",
    "cancel R-0000000000",
    "approve R-0000000000 fine",
    "refuse R-0000000000 no",
    'run restart-service service=web env=production --reason "x" --break-glass',
    "status R-0000000000",
    "payload-check",
)
PROOF = "proof"  # the workflow that shows at the end that all is well


async def offer(scene: Scene) -> None:
    """A workflow with approval, one with every kind of input, and the proof."""
    furnish(scene)
    restart = scene.datadog.add_workflow(name="Restart", parameters=[SERVICE, ENV], step_seconds=0.1)
    inputs: list[dict[str, Any]] = [
        {"name": "text", "type": "STRING", "label": "Text"},
        {"name": "number", "type": "NUMBER", "label": "Number", "defaultValue": 1},
        {"name": "flag", "type": "BOOLEAN", "label": "Flag"},
        {"name": "list", "type": "ARRAY_STRING", "label": "List", "allowedValues": ["a", "b"]},
        {"name": "object", "type": "OBJECT", "label": "Object", "defaultValue": {}},
        {"name": "long", "type": "STRING", "label": "Long", "allowedValues": [f"v{n}" for n in range(150)]},
        {"name": "hush", "type": "STRING", "label": "Hush"},
    ]
    many = scene.datadog.add_workflow(name="Many", parameters=inputs, step_seconds=0.1)
    proof = scene.datadog.add_workflow(name="Proof", parameters=[], step_seconds=0.1)
    policy = {
        "version": 1,
        "people": {"managers": {"users": [BOB, CARA], "groups": [MANAGERS]}},
        "workflows": {
            RESTART: {"id": restart, "title": "Restart"},
            "many": {"id": many, "title": "Many", "inputs": {"hush": {"secret": True}}},
            PROOF: {"id": proof, "title": "Proof"},
        },
        "rules": [
            asks(),
            {"allow": [ALICE], "run": [RESTART], "in": [OPS], "when": {"env": ["staging"]}},
            {"allow": [ALICE, ADMIN], "run": ["many", PROOF]},
        ],
    }
    await scene.world.apply(json.dumps(policy))


async def collect(scene: Scene) -> list[Seed]:
    """What people send in the course of a day, and for every key of the bot's table at least one payload."""
    await offer(scene)
    await _forms(scene)
    await _a_run(scene)
    await _an_approval(scene)
    await _admin(scene)
    seeds = [(one.kind, one.payload) for one in scene.slack.delivered]
    seeds += [("command", _command(scene, who, text)) for text in COMMANDS for who in (ALICE, ADMIN)]
    return seeds + list(_missing(scene, seeds))


async def _forms(scene: Scene) -> None:
    form = await scene.open_form(scene.alice, "many")
    assert form["callback_id"] == "workflow_form"
    await scene.alice.suggestions("Long", "v1")
    await scene.alice.fill(
        {"Text": "x", "Number": "2", "Flag": "true", "List": ["a"], "Long": "v1", "Hush": "hush hush"}
    )
    await scene.alice.submit()


async def _a_run(scene: Scene) -> None:
    await scene.alice.command(OPS, f"/workflow run {RESTART} service=web env=staging")
    message = await scene.alice.wait_for_message(OPS, lambda m: "*succeeded" in json.dumps(m), timeout=20)
    await scene.alice.press("run_again", in_message=message)
    await scene.alice.wait_for_view()
    await scene.alice.close_view(all_of_them=True)


async def _an_approval(scene: Scene) -> None:
    await scene.alice.command(OPS, f'/workflow run {RESTART} service=web env=production --reason "x"')
    message = await asked(scene, scene.slack.person(CARA))
    cara = scene.slack.person(CARA)
    await cara.press("review_run_to_comment", in_message=message)
    await cara.wait_for_view(lambda view: view["callback_id"] == "review")
    await cara.submit()
    await cara.open_home()


async def _admin(scene: Scene) -> None:
    ada = scene.slack.person(ADMIN)
    await ada.command(OPS, "/workflow grants")
    await ada.wait_for_view(lambda view: view["callback_id"] == "grants")
    await ada.submit()
    await ada.close_view(all_of_them=True)
    await ada.command(OPS, "/workflow authenticator")
    await ada.wait_for_view(lambda view: view["callback_id"] == "authenticator")
    with contextlib.suppress(AssertionError):
        await ada.submit()
    await ada.close_view(all_of_them=True)

    async def settled() -> bool:
        return all(run.state in (State.SUCCEEDED, State.AWAITING_APPROVAL) for run in await scene.runs())

    await until(settled, timeout=20)


def _command(scene: Scene, who: str, text: str) -> dict[str, Any]:
    client = scene.slack.client
    return client.payloads.slash_command(who, scene.slack.workspace.channels[OPS], text)


def _missing(scene: Scene, seeds: list[Seed]) -> list[Seed]:
    """For each listener that none of these reaches, one of the same kind with its id."""
    table = scene.world.bot.workspace.switchboard._table
    like: dict[str, Seed] = {}
    for kind, payload in seeds:
        like.setdefault(str(payload.get("type", "command")), (kind, payload))
    found: list[Seed] = []
    for type_, id_ in table:
        kind, payload = copy.deepcopy(like["block_actions" if type_ == "view_closed" else type_])
        if type_ == "block_actions":
            payload["actions"][0]["action_id"] = str(id_)
        elif type_ == "block_suggestion":
            payload["action_id"] = str(id_)
        elif type_ == "view_submission":
            payload["view"]["callback_id"] = str(id_)
        elif type_ == "event_callback":
            payload["event"] = _event(str(id_))
        found.append((kind, payload))
    return found


def _event(type_: str) -> dict[str, Any]:
    match type_:
        case Event.GROUP_MEMBERS:
            return {
                "type": type_,
                "subteam_id": MANAGERS,
                "team_id": "T01LOCAL",
                "added_users": [ALICE],
                "removed_users": [],
            }
        case Event.GROUP:
            return {"type": type_, "subteam": {"id": MANAGERS, "team_id": "T01LOCAL", "users": [ALICE]}}
        case Event.PERSON:
            return {"type": type_, "user": {"id": ALICE, "team_id": "T01LOCAL", "deleted": False}}
        case _:
            return {"type": type_, "user": ALICE, "channel": "D01ALICE", "tab": "home"}
