"""What the documents show to be typed works as shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.domain.errors import InvalidPolicy
from bot.policy_file.compile import compile_policy
from bot.policy_file.reader import parse_policy
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
    assert len(trail.splitlines()) == 2
    good = check(trail)
    assert good.stdout.startswith("ok, the head is "), good.stderr
    assert check(trail.replace("policy applied", "policy lost", 2)).returncode != 0, "a changed record is noticed"
    assert check(trail.splitlines()[1]).returncode != 0, "a missing record is noticed"


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
