"""Real exchanges with Datadog and its API description, where this checkout has them beside it; else tests skip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[1] / ".." / "shared" / "facts" / "data"
RECORDED = DATA / "datadog_recorded"
NAMES = sorted(path.relative_to(RECORDED).with_suffix("").as_posix() for path in RECORDED.rglob("*.json"))


def every_recording() -> list[str]:
    """Parameters for a test that runs once for each recording; where there are none, once, and `recording` skips it."""
    return NAMES or ["none"]


def recording(name: str) -> dict[str, Any]:
    """One exchange: request, response, and what came before and after it."""
    path = RECORDED / f"{name}.json"
    if not path.exists():
        pytest.skip("Datadog's recorded answers are not beside this checkout")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def api_description() -> dict[str, Any]:
    """The OpenAPI document."""
    path = DATA / "datadog_workflow_openapi.json"
    if not path.exists():
        pytest.skip("Datadog's API description is not beside this checkout")
    found: dict[str, Any] = json.loads(path.read_text())
    return found
