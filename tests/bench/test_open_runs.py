"""The benchmark of open runs works: it looks at runs, starts what is asked for meanwhile, and reports."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.house_rules.repository import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_open_runs_are_looked_at_while_new_ones_start(kind: str) -> None:
    command = [sys.executable, "-m", "bench.open_runs", "--runs", "100", "--seconds", "2", "--database", kind]
    done = subprocess.run(
        [*command, "--format", "json"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads(done.stdout)
    assert found["not_started"] == 0
    assert found["commands"] == 20
    assert found["looks"] > 0
