"""The shipped JSON Schema is the one that this version prints, and it knows a right file from a wrong one."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from bot.domain.workflows import InputType
from bot.policy_file.schema import policy_schema
from bot.sandbox import demo
from bot.sandbox.datadog import LocalDatadog
from tests.house_rules.repository import ROOT
from tests.malformed_policies import GOOD, REQUIRED

SHIPPED = ROOT / "docs" / "policy.schema.json"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "policy.md").read_text("utf-8"), re.DOTALL)


def _yaml(text: str) -> Any:
    yaml = YAML(typ="safe", pure=True)
    yaml.constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda constructor, node: node.value)
    return yaml.load(text)


@pytest.fixture
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SHIPPED.read_text("utf-8")))


def test_the_shipped_schema_is_current() -> None:
    fresh = json.dumps(policy_schema(), indent=2) + "\n"
    assert SHIPPED.read_text("utf-8") == fresh, "workflow-bot policy schema > docs/policy.schema.json"


def test_it_is_a_schema_itself(validator: jsonschema.Draft202012Validator) -> None:
    jsonschema.Draft202012Validator.check_schema(validator.schema)


def test_it_accepts_the_examples_and_every_field(validator: jsonschema.Draft202012Validator) -> None:
    assert any("version: 1" in example for example in EXAMPLES)
    for example in EXAMPLES:
        if example.startswith(("version: 1", "#")):
            validator.validate(_yaml(example))
    validator.validate(_yaml(demo.furnish_datadog(LocalDatadog())))
    validator.validate(GOOD)


@pytest.mark.parametrize("kind", list(InputType))
def test_it_knows_every_type_as_the_file_writes_it(validator: jsonschema.Draft202012Validator, kind: InputType) -> None:
    inputs = {"x": {"type": kind.value.lower()}}
    validator.validate({"version": 1, "workflows": {"w": {"id": "a", "inputs": inputs}}})


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"version": 2},
        {"version": 1, "rulez": []},
        {"version": 1, "workflows": {"w": {}}},
        {"version": 1, "workflows": {"w": {"id": "a", "inputs": {"x": {"type": "text"}}}}},
        {"version": 1, "people": {"sre": {"users": ["alice"]}}},
        {"version": 1, "rules": [{"allow": ["*"], "run": []}]},
        {"version": 1, "tests": [{"who": "U01", "run": "w", "expect": "maybe"}]},
    ],
)
def test_it_refuses_a_wrong_file(validator: jsonschema.Draft202012Validator, wrong: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(wrong)


def test_what_it_requires_the_bot_requires_too(validator: jsonschema.Draft202012Validator) -> None:
    for place in REQUIRED:
        changed = json.loads(json.dumps(GOOD))
        inside = changed
        for part in place[:-1]:
            inside = inside[part]
        del inside[place[-1]]
        if place[-1] not in ("allow", "deny", "api_key_env", "app_key_env"):  # of these one of two is needed
            assert not validator.is_valid(changed), place
