"""A workflow of Datadog's as an entry of the policy file, with its inputs: written into a file, or shown to be pasted."""

from __future__ import annotations

import difflib
import re
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from bot.domain.errors import InvalidPolicy
from bot.domain.workflows import Parameter, WorkflowDefinition
from bot.policy_file.reader import parse_policy, read_policy


def slug(name: str) -> str:
    """A name for the policy file, made from a title."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80] or "workflow"


def entry_text(definition: WorkflowDefinition, account: str | None = None) -> str:
    """The entry alone, as it stands below `workflows:`."""
    return _dump(CommentedMap({slug(definition.name): _entry(definition, account)}))


def add_entry(path: Path, name: str, definition: WorkflowDefinition, account: str | None) -> str:
    """Write the entry, leaving every other line and comment as it is. Raises InvalidPolicy, and then writes nothing."""
    if path.exists():
        source = read_policy(path)
        data = _yaml().load(source.text)
        if name in source.fields.workflows:
            near = difflib.get_close_matches(name, source.fields.workflows, n=1)[0]
            raise InvalidPolicy(f"{path}: “{near}” is there already. Choose another with --name.")
    else:
        data = CommentedMap({"version": 1})
    data.setdefault("workflows", CommentedMap())[name] = _entry(definition, account)
    text = _dump(data)
    parse_policy(text, str(path))  # what was written must be readable, or the old file stays
    path.write_text(text, "utf-8")
    return name


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    return yaml


def _dump(data: CommentedMap) -> str:
    text = StringIO()
    _yaml().dump(data, text)
    return text.getvalue()


def _entry(definition: WorkflowDefinition, account: str | None) -> CommentedMap:
    entry = CommentedMap({"id": definition.id})
    if account:
        entry["account"] = account
    entry["title"] = definition.name[:150]
    if definition.description:
        entry["description"] = definition.description
    inputs = CommentedMap({parameter.name: _input(parameter) for parameter in definition.parameters})
    if inputs:
        entry["inputs"] = inputs
    return entry


def _input(parameter: Parameter) -> CommentedMap:
    fields: dict[str, Any] = {"type": parameter.type.value.lower()}
    if parameter.label:
        fields["label"] = parameter.label[:150]
    if parameter.allowed_values:
        fields["options"] = [
            value if label == str(value) else {"value": value, "label": label}
            for value, label in parameter.allowed_values
        ]
    if parameter.has_default:
        fields["default"] = parameter.default
    written = CommentedMap(fields)
    written.fa.set_flow_style()
    return written
