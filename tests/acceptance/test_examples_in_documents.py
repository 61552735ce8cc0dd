"""What the documents show to be typed works as shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.domain.errors import InvalidPolicy
from bot.domain.runs import State
from bot.policy_file.compile import compile_policy
from bot.policy_file.reader import parse_policy
from bot.sandbox.datadog.workflows import make_spec
from tests.acceptance.scene import ADMIN, ALICE_IN_OPS, BOB, ENV, ONE_DATABASE, OPS, RESTART, SERVICE, Scene
from tests.house_rules.repository import text

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("SLACK_", "DD_", "AUDIT_"))}


def block(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", text(Path(page)), re.DOTALL)
    assert found
    return found[1]


def workflow_bot(database_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**ENVIRONMENT, "DATABASE_URL": database_url}
    command = [sys.executable, "-m", "bot", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def check(trail: str) -> subprocess.CompletedProcess[str]:
    """What the page on the audit trail has for checking an export without the bot."""
    command = [sys.executable, "-c", block("docs/audit.md", "python")]
    return subprocess.run(command, input=trail, capture_output=True, text=True, check=False, timeout=60)


def test_the_example_policy_applies_and_the_audit_page_checks_the_export_that_tells_of_it(
    sqlite_url: str, tmp_path: Path
) -> None:
    policy = tmp_path / "workflows.yml"
    policy.write_text(block("docs/policy.md", "yaml"), "utf-8")
    for _ in range(2):
        applied = workflow_bot(sqlite_url, "policy", "apply", str(policy))
        assert applied.returncode == 0, applied.stderr
    trail = workflow_bot(sqlite_url, "audit", "export").stdout
    assert len(trail.splitlines()) == 3, "two policies, and that it is exported"
    good = check(trail)
    assert good.stdout.startswith("ok, the head is "), good.stderr
    assert check(trail.replace("policy applied", "policy lost", 2)).returncode != 0, "a changed record is noticed"
    first, _, third = trail.splitlines()
    assert check(f"{first}\n{third}").returncode != 0, "a missing record is noticed"


def test_the_errors_of_the_policy_page_are_what_the_bot_says() -> None:
    example = block("docs/policy.md", "yaml")
    shown = re.findall(r"^    (workflows\.yml:\d+: .*)$", text(Path("docs/policy.md")), re.MULTILINE)
    assert len(shown) == 2
    for line, right, wrong in (
        (shown[0], "options: [web", "option: [web"),
        (shown[1], "allow: [sre]", "allow: [sres]"),
    ):
        with pytest.raises(InvalidPolicy) as found:
            compile_policy(parse_policy(example.replace(right, wrong), "workflows.yml"), None)
        assert str(found.value) == line


def test_a_plan_is_applied_as_the_policy_page_shows_and_only_once(sqlite_url: str, tmp_path: Path) -> None:
    policy = tmp_path / "workflows.yml"
    policy.write_text(block("docs/policy.md", "yaml"), "utf-8")
    assert workflow_bot(sqlite_url, "policy", "test", str(policy)).returncode == 0
    planned = workflow_bot(sqlite_url, "policy", "plan", str(policy))
    assert "+ U01ALICE gains tag:ops in C01OPS" in planned.stdout.splitlines(), "as the page quotes it"
    plan = re.search(r"policy apply --plan (\S+)", planned.stderr)
    assert plan
    assert workflow_bot(sqlite_url, "policy", "apply", str(policy), "--plan", plan[1]).returncode == 0
    again = workflow_bot(sqlite_url, "policy", "apply", str(policy), "--plan", plan[1])
    assert again.returncode == 1
    assert "Nothing was changed" in again.stderr


@ONE_DATABASE
async def test_why_dry_run_lock_and_unlock_are_typed_as_the_page_on_commands_shows(scene: Scene) -> None:
    await scene.alice.command(OPS, f"/workflow why {RESTART} service=web env=production")
    await scene.told_privately(scene.alice, "You may run")
    await scene.slack.person(ADMIN).command(OPS, f"/workflow why {RESTART} service=web <@{BOB}>")
    await scene.told_privately(scene.slack.person(ADMIN), f"<@{BOB}>", "No rule")
    await scene.alice.command(OPS, f"/workflow run {RESTART} service=web --dry-run")
    await scene.told_privately(scene.alice, "Dry run", "POST ", '"service": "web"')
    await scene.alice.command(OPS, f"/workflow lock {RESTART} env=production the disk is full for 2h")
    await scene.told(scene.bob, "has locked", "env=production", "the disk is full")
    await scene.alice.command(OPS, f"/workflow run {RESTART} service=web env=production")
    await scene.told_privately(scene.alice, "is locked", "the disk is full", "Come back after")
    await scene.slack.person(ADMIN).command(OPS, f"/workflow unlock {RESTART} env=production")
    await scene.told(scene.bob, "by force")
    assert scene.starts == []


@ONE_DATABASE
async def test_a_workflow_that_changed_after_its_form_was_opened_is_not_started_and_the_next_form_is_the_new_one(
    scene: Scene,
) -> None:
    workflow_id = await scene.offer((SERVICE,), rules=(ALICE_IN_OPS,))
    await scene.open_form(scene.alice)
    await scene.alice.fill({"input:service": "web"})
    scene.datadog.change_workflow(workflow_id, spec=make_spec([SERVICE, ENV], ["Another step"], api_trigger=True))
    await scene.alice.submit()
    await scene.told(scene.alice, "not started", "changed in Datadog", "new input env")
    await scene.only_run(State.NOT_STARTED)
    assert scene.starts == []
    assert "definition changed" in await scene.acts()
    form = await scene.open_form(scene.alice)
    assert "input:env" in [one["block_id"] for one in form["blocks"]]
