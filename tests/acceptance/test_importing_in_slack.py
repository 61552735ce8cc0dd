"""`/workflow import`: an admin searches Datadog's workflows from Slack and gets the entry for the policy file."""

from __future__ import annotations

import json

from bot.policy_file.reader import parse_policy
from tests.acceptance.scene import ADMIN, ENV, ONE_DATABASE, OPS, SERVICE, Scene


@ONE_DATABASE
async def test_an_admin_finds_a_workflow_and_gets_its_entry_with_its_inputs(scene: Scene) -> None:
    datadog_id = scene.datadog.add_workflow(name="Flush the cache", parameters=[SERVICE, ENV])
    admin = scene.slack.person(ADMIN)
    await admin.command(OPS, "/workflow import")
    await admin.wait_for_view(lambda view: view["callback_id"] == "import")

    found = await admin.suggestions("pick_datadog_workflow", "flush")
    await admin.choose("pick_datadog_workflow", "Flush the cache")
    view = await admin.wait_for_view(lambda view: "```" in json.dumps(view))

    assert [option["value"] for option in found] == [datadog_id]
    (text,) = [b["text"]["text"] for b in view["blocks"] if "```" in json.dumps(b.get("text", {}))]
    entry = "".join(f"  {line}\n" for line in text.strip("`").splitlines())
    fields = parse_policy(f"version: 1\nworkflows:\n{entry}", "workflows.yml").fields.workflows["flush-the-cache"]
    assert fields.id == datadog_id
    assert fields.inputs["env"].options == ["staging", "production"]
    assert fields.inputs["env"].default == "staging"


@ONE_DATABASE
async def test_what_can_not_be_run_by_api_says_why(scene: Scene) -> None:
    scene.datadog.add_workflow(name="Draft", published=False)
    admin = scene.slack.person(ADMIN)
    await admin.command(OPS, "/workflow import")
    await admin.wait_for_view(lambda view: view["callback_id"] == "import")

    (option,) = await admin.suggestions("pick_datadog_workflow", "draft")

    assert option["description"]["text"] == "not published"


@ONE_DATABASE
async def test_others_may_not_import(scene: Scene) -> None:
    await scene.alice.command(OPS, "/workflow import")

    await scene.told_privately(scene.alice, "Only admins may import workflows", f"<@{ADMIN}>")
