"""The main job through both doors: choose, fill in, run; by name; and what can be asked about runs."""

from __future__ import annotations

import json

import pytest

from bot.domain.runs import State
from tests.acceptance.scene import ALICE, AUDIT, BOTH_DOORS, ONE_DATABASE, OPS, RESTART, Scene, until, words
from tests.acceptance.steps import live


@BOTH_DOORS
async def test_from_the_picker_over_the_form_to_the_instance_id(scene: Scene) -> None:
    alice = scene.alice
    await scene.open_form(alice)
    await alice.fill({"Service": "web", "Environment": "production"})

    result = await alice.submit()

    assert result.happened == "closed"
    assert alice.view is None
    said = await scene.told(alice, "*succeeded after")
    (execution,) = scene.datadog.executions
    assert execution.payload == {"service": "web", "env": "production"}
    link = f"{scene.datadog.url}/workflow/{execution.workflow_id}?instance={execution.instance_id}"
    for text in ("Restart a service", f"<@{ALICE}>", "web", "production", execution.instance_id, link):
        assert text in said
    assert words(live(scene)) == said


@BOTH_DOORS
async def test_a_run_leaves_its_records_in_the_database_and_in_the_audit_channel(scene: Scene) -> None:
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})
    await scene.alice.submit()
    await scene.told(scene.alice, "*succeeded after")

    requested, launching, launched, ended = await scene.records()

    assert await scene.acts() == ["requested", "launching", "launched", "ended"]
    run = await scene.only_run(State.SUCCEEDED)
    assert requested["actor"] == {"team": scene.slack.team_id, "user": ALICE, "name": "Alice Moreau"}
    assert requested["inputs"] == {"service": "web", "env": "staging"}
    assert requested["rule"] == 1
    assert {record["run"] for record in (requested, launching, launched, ended)} == {run.id}
    assert launched["instance"] == scene.datadog.executions[0].instance_id
    assert (ended["instance"], ended["state"]) == (launched["instance"], "succeeded")

    async def in_channel() -> str | None:
        said = "\n".join(words(m) for m in scene.slack.messages(AUDIT))
        return said if all(f"#{record['seq']} " in said for record in (requested, launching, launched, ended)) else None

    said = await until(in_channel)
    assert scene.datadog.executions[0].instance_id in said
    stored = await scene.world.bot.store.read(lambda tx: tx.records(0, 100))
    assert all(record.hash[:16] in said for record in stored)


@BOTH_DOORS
async def test_a_run_by_name_starts_at_once_when_nothing_is_missing(scene: Scene) -> None:
    ack = await scene.alice.command(OPS, f"/workflow run {RESTART} service=api env=production")

    assert ack.ok
    said = await scene.told(scene.alice, "*succeeded after")
    assert scene.datadog.executions[0].instance_id in said
    assert scene.payloads == [{"service": "api", "env": "production"}]
    assert scene.alice.view is None


@BOTH_DOORS
async def test_a_run_by_name_opens_the_form_with_what_was_given_where_something_is_missing(scene: Scene) -> None:
    await scene.alice.command(OPS, f"/workflow run {RESTART} env=production")

    view = await scene.alice.wait_for_view(lambda v: v["callback_id"] == "workflow_form")
    assert view["state"]["values"]["input:env"]["input"]["selected_option"]["value"] == "production"
    assert view["state"]["values"]["input:service"]["input"]["selected_option"] is None
    assert scene.payloads == []
    await scene.alice.fill({"Service": "web"})
    assert (await scene.alice.submit()).happened == "closed"
    await scene.told(scene.alice, "*succeeded after")
    assert scene.payloads == [{"service": "web", "env": "production"}]


@ONE_DATABASE
async def test_a_run_by_name_with_a_wrong_value_opens_the_form_and_says_what_is_wrong(scene: Scene) -> None:
    await scene.alice.command(OPS, f"/workflow run {RESTART} service=mainframe env=production nonsense=1")

    view = await scene.alice.wait_for_view(lambda v: v["callback_id"] == "workflow_form")
    assert "“mainframe” is not allowed here. Choose one of: web, api." in words(view)
    assert "nonsense" in words(view)
    assert view["state"]["values"]["input:env"]["input"]["selected_option"]["value"] == "production"
    assert await scene.acts() == []


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("run restart-service servic", "Write each input as"),
        ('run restart-service service="web', "A quote is opened and not closed"),
        ("rum restart-service", "is not something I know"),
        ("run restart-service service=web service=api", "given twice"),
        ("help", "/workflow run NAME key=value"),
    ],
)
@ONE_DATABASE
async def test_text_that_is_no_command_gets_an_answer_that_tells_how_to_write_it(
    scene: Scene, text: str, answer: str
) -> None:
    await scene.alice.command(OPS, f"/workflow {text}")

    await scene.told_privately(scene.alice, answer)
    assert scene.payloads == []


async def test_list_shows_what_the_asker_may_run_in_this_channel(scene: Scene) -> None:
    await scene.alice.command(OPS, "/workflow list")
    await scene.bob.command(OPS, "/workflow list")

    assert RESTART in await scene.told_privately(scene.alice, "Workflows that you may run in this channel")
    assert RESTART not in await scene.told_privately(scene.bob, "There is no workflow that you may run")


async def test_status_and_history_show_the_askers_runs_and_nobody_elses(scene: Scene) -> None:
    await scene.alice.command(OPS, "/workflow history")
    await scene.told_privately(scene.alice, "You have run nothing yet")
    await scene.alice.command(OPS, f"/workflow run {RESTART} service=web")
    run = await scene.only_run(State.SUCCEEDED)

    await scene.alice.command(OPS, "/workflow history")
    await scene.alice.command(OPS, "/workflow status")
    await scene.alice.command(OPS, f"/workflow status {run.id.lower()}")
    await scene.bob.command(OPS, f"/workflow status {run.id}")
    await scene.bob.command(OPS, "/workflow history")
    await scene.slack.person("U09ADMIN").command(OPS, f"/workflow status {run.id}")

    await scene.told_privately(scene.alice, "Your latest runs", run.id)

    async def both_answers() -> bool:
        return len([m for m in scene.alice.ephemerals(OPS) if str(run.instance_id) in words(m)]) == 2

    await until(both_answers)
    await scene.told_privately(scene.bob, "You have no run", run.id)
    await scene.told_privately(scene.bob, "You have run nothing yet")
    await scene.told_privately(scene.slack.person("U09ADMIN"), run.id, str(run.instance_id))


async def test_more_than_a_hundred_workflows_are_searched_for_in_the_database(scene: Scene) -> None:
    many = {
        f"job-{number:03}": {
            "id": scene.datadog.add_workflow(name=f"Job {number:03}", parameters=[]),
            "title": f"Job {number:03}",
        }
        for number in range(120)
    }
    await scene.apply(many, [{"allow": [ALICE], "run": ["*"], "in": [OPS]}])
    await scene.alice.command(OPS, "/workflow")
    view = await scene.alice.wait_for_view(lambda v: v["callback_id"] == "picker")
    before = len(scene.datadog.requests)

    shown = await scene.alice.suggestions("pick_workflow", "")
    found = await scene.alice.suggestions("pick_workflow", "JOB 11")
    none = await scene.alice.suggestions("pick_workflow", "50% off_")

    assert "external_select" in json.dumps(view["blocks"])
    assert len(shown) == 100
    assert [option["text"]["text"] for option in found] == [f"Job {number}" for number in range(110, 120)]
    assert none == []
    assert len(scene.datadog.requests) == before
    await scene.alice.choose("pick_workflow", "job-119")
    await scene.alice.wait_for_view(lambda v: v["callback_id"] == "workflow_form")
    await scene.alice.submit()
    await scene.told(scene.alice, "Job 119", "*succeeded after")
