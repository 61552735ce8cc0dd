"""Reads a policy file and knows where each field stands, so that an error can name file, line and field."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from bot.domain.errors import InvalidPolicy
from bot.domain.workflows import InputType
from bot.policy_file import schema
from bot.policy_file.document import CHARACTERS, read_document

Place = Sequence[str | int]


@dataclass(frozen=True)
class PolicySource:
    """A file that was read: its fields, its text, its digest, and where everything stands in it."""

    name: str
    text: str
    digest: str
    fields: schema.PolicyFields
    root: Node | None

    def error(self, place: Place, message: str) -> str:
        """One line that names file, line and field."""
        return f"{self.name}:{_line(self.root, place)}: {_dotted(place)}{message}"


def read_policy(path: Path) -> PolicySource:
    """Read and check the file by itself. Raises InvalidPolicy with every error found, a line each."""
    data = b""
    try:
        with path.open("rb") as file:
            data = file.read(4 * CHARACTERS + 1)  # of UTF-8 a character takes at most four bytes
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise InvalidPolicy(
            f"{path}: there is no such file. Make one (docs/policy.md shows an example) or name it in POLICY_FILE."
        ) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidPolicy(f"{path}:{line}: the file can't be read: it is not UTF-8 text here") from None
    except OSError as error:
        raise InvalidPolicy(f"{path}: the file can't be read: {error}") from None
    return parse_policy(text, str(path))


def parse_policy(text: str, name: str) -> PolicySource:
    """Check a policy's text. Raises InvalidPolicy with every error found, a line each."""
    root, data = read_document(text, name)
    if not isinstance(data, dict):
        raise InvalidPolicy(f"{name}:1: the file must hold version, workflows and rules; this one is empty or a list")
    try:
        fields = schema.PolicyFields.model_validate(data)
    except ValidationError as error:
        lines = [_explain(name, root, data, detail) for detail in error.errors()]
        raise InvalidPolicy("\n".join(dict.fromkeys(lines))) from None
    return PolicySource(name, text, hashlib.sha256(text.encode()).hexdigest(), fields, root)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """`. Did you mean “x”?` where something known is near, else nothing."""
    near = difflib.get_close_matches(word, known, n=1)
    return f". Did you mean “{near[0]}”?" if near else ""


def _explain(name: str, root: Node | None, data: Any, detail: ErrorDetails) -> str:
    place = [part for part in detail["loc"] if part != "[key]"]
    message = detail["msg"].removeprefix("Value error, ")
    match detail["type"]:
        case "extra_forbidden":
            word = str(place[-1])
            message = f"unknown field{did_you_mean(word, _fields_beside(place))}"
        case "missing":
            message = "this field is missing"
        case "string_pattern_mismatch":
            message = f"“{detail['input']}” is not valid here{_PATTERNS.get(detail['ctx']['pattern'], '')}"
        case "enum":
            words = [kind.value.lower() for kind in InputType]
            given = str(detail["input"]).lower()
            message = f"“{given}” is not a type{did_you_mean(given, words) or '. Types: ' + ', '.join(words)}"
        case "timezone_aware" | "datetime_parsing" | "datetime_from_date_parsing" | "datetime_type":
            message = "write a moment with its time zone, as in 2026-12-24T18:00+01:00"
        case "literal_error" if place == ["version"]:
            message = "this version of the bot reads policy files of version 1"
        case _:
            message = message[0].lower() + message[1:]
    return f"{name}:{_line(root, place)}: {_dotted(place)}{message}"


_PATTERNS = {
    schema.VARIABLE: ": name an environment variable, as in EU_DD_API_KEY; a key itself has no place in this file",
    schema.GROUP: ": a Slack user group's id looks like S012AB3CD (in Slack: People, User groups, Copy group ID)",
    schema.DURATION: ": write a number and s, m, h or d, as in 5m",
    schema.RATE: ": write how many within what time, as in 10/h or 3/30m",
    schema.NAME: ": names are lower-case letters, digits, - and _, at most 80 characters",
    schema.USER: ": a Slack user id looks like U012AB3CD (in Slack: profile, More, Copy member ID)",
    schema.CHANNEL: ": a Slack channel id looks like C012AB3CD (in Slack: channel name, About, at the bottom)",
}


def _fields_beside(place: Place) -> list[str]:
    """The names that would have been right at the place of an unknown one."""
    inside = {
        "workflows": schema.WorkflowFields,
        "people": schema.PeopleFields,
        "rules": schema.RuleFields,
        "tests": schema.ExampleFields,
        "freezes": schema.FreezeFields,
        "accounts": schema.AccountFields,
    }
    model: Any = schema.PolicyFields
    if len(place) > 1:
        nested = {
            "limits": schema.LimitFields,
            "inputs": schema.InputFields,
            "escalate": schema.EscalationFields,
            "approval": schema.ApprovalFields,
        }
        found = (model for name, model in nested.items() if name in place[:-1])
        model = next(found, inside.get(str(place[0]), schema.PolicyFields))
    return [info.alias or name for name, info in model.model_fields.items()]


def _dotted(place: Place) -> str:
    text = ""
    for part in place:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return f"{text}: " if text else ""


def _line(root: Node | None, place: Place) -> int:
    """The line, from 1, of the deepest part of `place` that the file has."""
    node, line = root, 1
    for part in place:
        if isinstance(node, MappingNode):
            found = next((pair for pair in node.value if pair[0].value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
