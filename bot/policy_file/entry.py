"""A workflow of Datadog's as an entry of the policy file, with its inputs: written into a file, or shown to be pasted."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from bot.domain.errors import InvalidPolicy
from bot.domain.workflows import Parameter, WorkflowDefinition
from bot.policy_file.reader import PolicySource, parse_policy, read_policy


def slug(name: str) -> str:
    """A name for the policy file, made from a title."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80] or "workflow"


def entry_text(definition: WorkflowDefinition, account: str | None = None) -> str:
    """The entry alone, as it stands below `workflows:`."""
    return _dump(CommentedMap({slug(definition.name): _entry(definition, account)}))


def add_entry(path: Path, name: str, definition: WorkflowDefinition, account: str | None) -> str:
    """Write the entry, leaving every other line and comment as it is. Raises InvalidPolicy, and then writes nothing."""
    text = _added(read_policy(path), name, _entry(definition, account)) if path.exists() else ""
    if not text:
        text = _dump(CommentedMap({"version": 1, "workflows": CommentedMap({name: _entry(definition, account)})}))
    parse_policy(text, str(path))  # what was written must be readable, or the old file stays
    path.write_text(text, "utf-8")
    return name


def _added(source: PolicySource, name: str, entry: CommentedMap) -> str:
    """The file's text with the entry. Raises InvalidPolicy where the name is taken."""
    if name in source.fields.workflows:
        raise InvalidPolicy(f"{source.name}: “{name}” is there already. Choose another with --name.")
    text = _spliced(source, _dump(CommentedMap({name: entry})))
    if text:
        return text
    data = _yaml().load(source.text)
    data.setdefault("workflows", CommentedMap())[name] = entry
    return _dump(data)


def _spliced(source: PolicySource, entry: str) -> str:
    """The file's own text with the entry after the last of its workflows; empty where they aren't written in lines."""
    nodes = {key.value: node for key, node in getattr(source.root, "value", [])}
    workflows = nodes.get("workflows")
    if not isinstance(workflows, MappingNode) or workflows.flow_style or not workflows.value:
        return ""
    lines = source.text.splitlines(keepends=True)
    last = _last_line(workflows) + 1
    if lines[last - 1][-1] != "\n":
        lines[last - 1] += "\n"
    indent = " " * workflows.value[0][0].start_mark.column
    return "".join([*lines[:last], *(indent + line for line in entry.splitlines(keepends=True)), *lines[last:]])


def _last_line(node: Node) -> int:
    """The last line, from 0, that a value is written on."""
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(node, MappingNode) else last)
    end = node.end_mark
    return int(end.line if end.column or end.line == node.start_mark.line else end.line - 1)


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
