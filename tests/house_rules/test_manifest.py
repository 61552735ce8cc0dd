"""manifest.yml is what Slack accepts."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from bot.cli.manifest import build_manifest
from bot.slack.ids import GONE, SCOPES
from tests.house_rules.repository import ROOT

# Slack's own schema, as published with its command-line tool; too big a piece of somebody else's work to ship.
SCHEMA = ROOT.parent / "shared" / "facts" / "data" / "slack_manifest_schema.json"


@pytest.fixture
def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load((ROOT / "manifest.yml").read_text("utf-8"))
    return loaded


def test_the_manifest_keeps_slacks_schema(manifest: dict[str, Any]) -> None:
    if not SCHEMA.exists():
        pytest.skip("Slack's manifest schema is not on this machine")
    schema = json.loads(SCHEMA.read_text("utf-8"))
    errors = jsonschema.Draft7Validator(schema).iter_errors(manifest)
    best = jsonschema.exceptions.best_match(errors)
    assert best is None, f"{best.json_path}: {best.message}" if best else ""


def test_the_manifest_keeps_the_limits_that_the_schema_may_leave_out(manifest: dict[str, Any]) -> None:
    commands = manifest["features"]["slash_commands"]
    assert 1 <= len(commands) <= 50
    for command in commands:
        assert command["command"].startswith("/")
        assert 2 <= len(command["command"]) <= 32
        assert len(command["description"]) <= 2000
        assert len(command.get("usage_hint", "")) <= 1000


def test_the_manifest_for_oauth_keeps_the_schema_and_asks_for_what_the_bot_does() -> None:
    built = build_manifest("/workflow", "https://bot.example.com", redirect="https://bot.example.com")
    if SCHEMA.exists():
        jsonschema.Draft7Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(built)
    assert sorted(built["oauth_config"]["scopes"]["bot"]) == sorted(SCOPES)
    assert set(GONE) <= set(built["settings"]["event_subscriptions"]["bot_events"])
    assert built["settings"]["org_deploy_enabled"] is True


def test_the_manifest_asks_for_each_permission_once(manifest: dict[str, Any]) -> None:
    scopes = manifest["oauth_config"]["scopes"]["bot"]
    assert len(scopes) == len(set(scopes))
