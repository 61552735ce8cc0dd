"""What is done once everything is open."""

from __future__ import annotations

import subprocess
import sys

from tests.house_rules.repository import ROOT


def test_what_is_there_when_a_bot_begins_to_serve_is_not_looked_through_for_garbage_any_more() -> None:
    script = (
        "import gc; from bot import bootstrap; bootstrap.settle(); print(gc.get_freeze_count(), len(gc.get_objects()))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    frozen, looked_at = map(int, done.stdout.split())
    assert frozen > 100 * looked_at
