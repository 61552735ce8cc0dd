"""`make help` tells the truth: every target that is meant for people is in it, and documents name no other."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.house_rules.repository import ROOT, files_like, text

WITHOUT_A_LINE_IN_HELP = {"runtime", "format-check", "bench-environment"}  # steps of other targets
MENTION = re.compile(r"(?:^|[`$(]|\s&&|\s)\s*make ([a-z][a-z-]+)", re.MULTILINE)
CODE = re.compile(r"```.*?\n(.*?)```|`([^`\n]+)`", re.DOTALL)


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", text(Path("Makefile")), re.MULTILINE))


def _helped() -> set[str]:
    command = ["make", "--no-print-directory"]
    shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"^\s+make ([a-z-]+)", shown, re.MULTILINE))


def test_plain_make_lists_every_target_that_is_meant_for_people() -> None:
    assert _helped() == _targets() - WITHOUT_A_LINE_IN_HELP


def test_every_target_is_phony() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", text(Path("Makefile")), re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == _targets()


def test_documents_name_only_targets_that_exist() -> None:
    named = {
        (str(path), target)
        for path in files_like("*.md")
        for block, inline in CODE.findall(text(path))
        for target in MENTION.findall(block or inline)
    }
    assert {mention for mention in named if mention[1] not in _targets()} == set()
