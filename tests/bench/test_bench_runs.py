"""The benchmark works: it measures, checks what it measured, and reports. How fast anything is, no test says."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from bench.whole_submission import rivals_are_installed
from tests.house_rules.repository import ROOT

pytestmark = pytest.mark.slow

SMALLEST = ("--quick", "--seconds", "0.1", "--people", "2", "--format", "json")


def _measured(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench", *SMALLEST, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert isinstance(row, dict)
    return row


def test_acknowledgements_are_measured_with_their_ratios() -> None:
    row = _measured("--row", "ack")
    (scenario,) = row["scenarios"]
    assert [side["name"] for side in scenario["sides"]] == [
        "bot, help",
        "bot, history",
        "Bolt no-op",
        "aiohttp + verifier",
    ]
    assert all(side["medians"]["rate"] > 0 for side in scenario["sides"])
    assert all(comparison["rate"]["median"] > 0 for comparison in scenario["ratios"])


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_submissions_are_measured_and_each_was_started_once_and_posted(kind: str) -> None:
    row = _measured("--row", "submission", "--database", kind)
    assert row["failures"] == []
    assert [scenario["delay"] for scenario in row["scenarios"]] == [0.0, 0.1]
    names = {side["name"] for scenario in row["scenarios"] for side in scenario["sides"]}
    assert {"sqlite": "bot on SQLite", "postgres": "bot on Postgres"}[kind] in names
    assert ("60 lines" in names) is rivals_are_installed()
    assert bool(row["note"]) is not rivals_are_installed()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_the_trail_is_measured_with_and_without_its_chain_and_read_to_its_end(kind: str) -> None:
    row = _measured("--row", "audit", "--database", kind)
    whats = [one["what"].split(",")[0] for one in row["compared"]]
    assert whats == ["appends", "verify of 5", "memory to verify", "export of 5", "memory to export"]
    assert all(one["figure"] > 0 and one["other"] > 0 and one["ratio"] > 0 for one in row["compared"])


def test_deciding_is_measured_as_it_grows() -> None:
    row = _measured("--row", "decision", "--database", "sqlite")
    sizes = [one["size"] for one in row["sizes"] if one["what"] == "read and decide, grants"]
    assert sizes == [100, 1_000, 10_000, 100_000]
    assert all(one["median"] > 0 and one["ratio"] > 0 for one in row["sizes"])


def test_being_seen_is_measured_beside_a_bot_that_nobody_sees() -> None:
    row = _measured("--row", "seen")
    assert row["failures"] == []
    (scenario,) = row["scenarios"]
    names = [side["name"] for side in scenario["sides"]]
    assert {"unseen, help", "metrics, help", "metrics and traces, submission"} < set(names)
    assert len(scenario["ratios"]) == 6
