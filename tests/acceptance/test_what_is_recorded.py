"""Every change and every refusal is in the trail, with who, where, what and why: through the doors, from the records."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import Refused
from bot.domain.policy import Policy
from bot.domain.runs import State
from bot.use_cases.apply_policy import apply_policy
from bot.use_cases.resolve_run import resolve
from tests.acceptance.scene import (
    ADMIN,
    ALICE,
    BOB,
    BOTH_DOORS,
    ENV,
    GENERAL,
    ONE_DATABASE,
    OPS,
    RESTART,
    SERVICE,
    Json,
    Scene,
    until,
)
from tests.acceptance.steps import RUN, is_running, offer_lasting
from tests.integration.command_line import furnish, start

TOKEN: Json = {"name": "token", "type": "STRING", "label": "Token"}
SECRET = "hunter2-correct-horse"


async def last(scene: Scene, act: str) -> Json:
    """The latest record of the act, once there is one."""

    async def look() -> Json | None:
        return next((record for record in reversed(await scene.records()) if record["act"] == act), None)

    return await until(look)


@BOTH_DOORS
async def test_a_run_is_recorded_from_the_decision_to_the_end(scene: Scene) -> None:
    workflow_id = await scene.offer([SERVICE, ENV, TOKEN], inputs={"token": {"secret": True}})
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web", "Token": SECRET})
    await scene.alice.submit()
    run = await scene.only_run(State.SUCCEEDED)

    requested, launching, launched, ended = await scene.records()
    entry = await scene.world.bot.store.read(lambda tx: tx.entry(RESTART))
    assert entry is not None
    what = {
        "account": "default",
        "datadog_workflow": workflow_id,
        "definition": entry.definition_hash,
        "policy": entry.policy_version,
    }
    assert {key: requested[key] for key in what} == {key: launching[key] for key in what} == what
    assert (requested["decision"], requested["reason"], requested["rule"]) == ("allow", "allowed by rule", 1)
    assert requested["because"] == f"allow {ALICE} to run anything in {OPS}"
    assert requested["inputs"] == {"service": "web", "env": "staging"}
    assert requested["secret_inputs"] == run.secrets
    assert (launching["attempt"], launched["instance"], ended["instance"]) == (1, run.instance_id, run.instance_id)
    assert (ended["state"], ended["error"]) == ("succeeded", None)
    for record in (requested, launching, launched, ended):
        actor = {"team": scene.slack.team_id, "user": ALICE, "name": "Alice Moreau"}
        assert (record["actor"], record["channel"], record["run"], record["v"]) == (actor, OPS, run.id, 2)
        assert record["request"] == run.request_id


async def test_a_refusal_tells_what_was_asked_for_and_names_secrets_by_their_fingerprints(scene: Scene) -> None:
    rule: Json = {"allow": [ALICE], "run": [RESTART], "when": {"env": ["staging"]}}
    await scene.offer([SERVICE, ENV, TOKEN], rules=[rule], inputs={"token": {"secret": True}})
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web", "Token": SECRET})
    submission = json.loads(json.dumps(scene.alice.submission()).replace('"staging"', '"production"'))
    await scene.slack.deliver("interactive", submission)

    denied = await last(scene, "denied")
    assert (denied["decision"], denied["reason"], denied["rule"]) == ("deny", "not allowed with these values", 1)
    assert denied["inputs"] == {"service": "web", "env": "production"}
    assert len(denied["secret_inputs"]["token"]) == 16
    assert SECRET not in json.dumps(denied)
    assert denied["policy"] == 2


@ONE_DATABASE
async def test_a_refusal_by_person_tells_who_and_where(scene: Scene) -> None:
    await scene.bob.command(GENERAL, RUN)
    denied = await last(scene, "denied")
    assert (denied["actor"]["user"], denied["channel"], denied["reason"]) == (BOB, GENERAL, "no rule allows it")
    assert denied["request"]
    assert "inputs" not in denied, "nobody looked at them"


@ONE_DATABASE
async def test_a_form_on_an_older_definition_is_refused_on_record(scene: Scene) -> None:
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "api"})
    await scene.offer([{"name": "service", "type": "STRING", "label": "Service"}])
    await scene.alice.submit()
    denied = await last(scene, "denied")
    assert denied["reason"] == "the form was drawn from an older definition"
    assert denied["policy"] == 2


@ONE_DATABASE
async def test_cancelling_is_recorded_as_the_one_who_asked_in_the_request_that_they_made(
    scene: Scene, watchful: None
) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    run = await is_running(scene)
    await scene.bob.command(OPS, f"/workflow cancel {run.id}")
    denied = await last(scene, "cancel denied")
    await scene.slack.person(ADMIN).command(OPS, f"/workflow cancel {run.id}")
    asked, sent = await last(scene, "cancel asked"), await last(scene, "cancel sent")
    assert (denied["actor"]["user"], asked["actor"]["user"]) == (BOB, ADMIN)
    assert len({run.request_id, denied["request"], asked["request"]}) == 3
    assert asked["seq"] < sent["seq"]
    assert asked["instance"] == sent["instance"] == run.instance_id
    await scene.only_run(State.CANCELLED)
    assert (await scene.acts())[-1] == "ended"


@ONE_DATABASE
async def test_each_way_in_which_a_lock_is_refused_has_its_reason(scene: Scene) -> None:
    await scene.bob.command(OPS, f"/workflow lock {RESTART} a reason for 1h")
    await scene.told_privately(scene.bob, "may not lock")
    assert (await last(scene, "lock denied"))["reason"] == "no rule allows it"
    await scene.alice.command(OPS, "/workflow lock no-such-thing a reason for 1h")
    await scene.told_privately(scene.alice, "There is no workflow")
    assert (await last(scene, "lock denied"))["reason"] == "not in the catalogue"
    for reason, renewed in (("a deploy", False), ("a long deploy", True)):
        await scene.alice.command(OPS, f"/workflow lock {RESTART} {reason} for 1h")
        await scene.told(scene.alice, reason)
        assert (await last(scene, "locked"))["renewed"] is renewed
    await scene.slack.person(ADMIN).command(OPS, f"/workflow lock {RESTART} mine for 1h")
    await scene.told_privately(scene.slack.person(ADMIN), "is locked already")
    denied = await last(scene, "lock denied")
    assert (denied["reason"], denied["actor"]["user"]) == ("locked", ADMIN)


@ONE_DATABASE
@pytest.mark.parametrize(
    ("typed", "wanted"),
    [("grants", "grants"), ("import", "import"), (f"why {RESTART} service=web <@{BOB}>", "why about others")],
)
async def test_asking_for_what_is_for_admins_is_on_record(scene: Scene, typed: str, wanted: str) -> None:
    await scene.alice.command(OPS, f"/workflow {typed}")
    await scene.told_privately(scene.alice, "nly admins may")
    denied = await last(scene, "admin denied")
    assert (denied["wanted"], denied["actor"]["user"], denied["channel"]) == (wanted, ALICE, OPS)
    assert denied["request"]


@ONE_DATABASE
async def test_a_search_that_found_nothing_is_recorded_when_it_ends(scene: Scene, watchful: None) -> None:
    await offer_lasting(scene)
    scene.datadog.faults.status, scene.datadog.faults.on, scene.datadog.faults.times = 500, "execute", 1
    await scene.alice.command(OPS, RUN)
    await scene.told(scene.alice, "The bot has stopped searching")
    ended = await last(scene, "search ended")
    assert (ended["error"], ended["searches"]) == ("Datadog lists no instance that may be it.", 4)
    assert await scene.acts() == ["requested", "launching", "unknown", "search ended"]


async def test_what_is_refused_on_the_command_line_is_recorded_too(scene: Scene, watchful: None) -> None:
    store = scene.world.bot.store
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    run = await is_running(scene)
    with pytest.raises(Refused, match="only an unknown run"):
        await resolve(run.id, None, "operator", store)
    refused = await last(scene, "resolve refused")
    assert (refused["run"], refused["actor"]) == (run.id, {"name": "operator", "team": "", "user": ""})
    with pytest.raises(Refused, match="make a new plan"):
        await apply_policy(Policy(), digest="d" * 64, source="", applied_by="operator", store=store, planned_on=99)
    assert "The plan was made on version 99" in (await last(scene, "policy refused"))["reason"]


async def test_each_start_records_the_settings_that_loosen_something(
    empty_database_url: str, slack: Any, datadog: Any, tmp_path: Path
) -> None:
    environment = furnish(slack, datadog, empty_database_url).environment
    environment |= {"ALLOW_ACTORS": "guest", "SLACK_API_URL": slack.api_url, "LOG_FORMAT": "text"}
    for _ in range(2):
        process = await start(tmp_path, "serve", **environment)
        assert process.stderr is not None
        async with asyncio.timeout(60):
            while b"listening to Slack" not in await process.stderr.readline():
                pass
        process.terminate()
        _, rest = await process.communicate()
        assert process.returncode == 0, rest
    tail = await start(tmp_path, "audit", "tail", "--format", "json", **environment)
    output, _ = await tail.communicate()
    records = [json.loads(line) for line in output.splitlines()]
    assert [record["act"] for record in records] == ["override used"] * 2
    assert sorted(records[0]["settings"]) == ["ALLOW_ACTORS", "DD_API_URL", "SLACK_API_URL"]
    assert records[0]["settings"]["ALLOW_ACTORS"] == "guest"
    assert records[0]["settings"]["SLACK_API_URL"] == slack.api_url.removesuffix("/api/")


@ONE_DATABASE
async def test_where_the_trail_cannot_be_written_nothing_happens(scene: Scene) -> None:
    def take_the_head_away(tx: Any) -> None:
        tx.connection.exec_driver_sql("DROP TRIGGER audit_head_no_delete")
        tx.connection.exec_driver_sql("DELETE FROM audit_head")

    await scene.world.bot.store.write(take_the_head_away)
    await scene.alice.command(OPS, RUN)

    async def told() -> bool:  # in the view that opens where an answer takes long, else in the channel
        return "chain is missing" in json.dumps([scene.alice.view, scene.alice.ephemerals(OPS)])

    await until(told)
    assert await scene.runs() == []
    assert scene.starts == []
