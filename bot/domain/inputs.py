"""The inputs of a workflow: what a person fills in, and how text becomes a typed value or a clear error.

Types are Datadog's eight (Datadog API reference: Workflow Automation, inputSchema). A parameter without a default is
required: Datadog has no other mark for it (Datadog docs: actions/workflows/variables).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.workflows import AllowedValue, InputType

TEXT_LIMIT = 3000  # characters one Slack text input can hold (Slack docs: reference/block-kit, plain_text_input)
PAYLOAD_LIMIT = 64_000  # characters of JSON; Datadog documents no limit, so the bot chooses its own
NESTING_LIMIT = 32
EXACT_INTEGER = 2**53 - 1  # beyond it JSON numbers stop being exact (RFC 8785, I-JSON)

BOOLEANS = (AllowedValue(True, "true"), AllowedValue(False, "false"))
TRUE_WORDS = frozenset({"true", "yes", "y", "on", "1"})
FALSE_WORDS = frozenset({"false", "no", "n", "off", "0"})


class InvalidInput(ValueError):
    """A value that the input can't take; the message says what it takes instead."""


@dataclass(frozen=True, slots=True)
class Input:
    """One field of a workflow's form. `options` empty means anything of the type; `extra` allows values beside them."""

    name: str
    type: InputType
    label: str = ""
    description: str = ""
    has_default: bool = False
    default: Any = None
    options: tuple[AllowedValue, ...] = ()
    extra: bool = False
    pattern: str | None = None
    secret: bool = False

    @property
    def required(self) -> bool:
        return not self.has_default

    @property
    def is_list(self) -> bool:
        return self.type.name.startswith("ARRAY_")

    @property
    def title(self) -> str:
        return self.label or self.name

    def from_text(self, text: str) -> Any:
        """The typed value of what a person typed. Raises InvalidInput with what to type instead."""
        return self.checked(_parse(self, text))

    def checked(self, value: Any) -> Any:
        """The value itself when it is of the type and allowed. Raises InvalidInput."""
        _check_type(self, value)
        _check_storable(value)
        for item in value if self.is_list else [value]:
            self._check_allowed(item)
        return value

    def _check_allowed(self, item: Any) -> None:
        if self.options and not self.extra and not any(same(option.value, item) for option in self.options):
            shown = ", ".join(option.label for option in self.options[:10])
            more = f" and {len(self.options) - 10} more" if len(self.options) > 10 else ""
            raise InvalidInput(f"{_shown(item)} is not allowed here. Choose one of: {shown}{more}.")
        if self.pattern and isinstance(item, str) and not re.fullmatch(self.pattern, item):
            raise InvalidInput(f"{_shown(item)} does not match the pattern {self.pattern}.")


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: True is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def as_text(value: Any) -> str:
    """A value as a person would type it: strings bare, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def check_payload(values: Mapping[str, Any]) -> None:
    """Raises InvalidInput when all values together are more than the bot sends to Datadog."""
    size = len(json.dumps(dict(values), ensure_ascii=False))
    if size > PAYLOAD_LIMIT:
        raise InvalidInput(f"The inputs are {size:,} characters together; the bot sends at most {PAYLOAD_LIMIT:,}.")


def _parse(field: Input, text: str) -> Any:
    match field.type:
        case InputType.STRING:
            return text
        case InputType.NUMBER:
            return _number(text)
        case InputType.BOOLEAN:
            return _boolean(text)
        case InputType.OBJECT | InputType.ARRAY_OBJECT:
            return _json(text)
        case InputType.ARRAY_STRING:
            return _items(text, str)
        case InputType.ARRAY_NUMBER:
            return _items(text, _number)
        case InputType.ARRAY_BOOLEAN:
            return _items(text, _boolean)


def _items(text: str, convert: Any) -> Any:
    """A JSON array, or one item a line; a single line may also hold items separated by commas."""
    stripped = text.strip()
    if stripped.startswith("["):
        return _json(stripped)
    parts = stripped.split("\n") if "\n" in stripped else stripped.split(",")
    return [convert(part.strip()) for part in parts if part.strip()]


def _number(text: str) -> int | float:
    try:
        value = json.loads(text.strip())
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput(f"{_shown(text)} is not a number. Write it like 42 or 0.5.")
    return value


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise InvalidInput(f"{_shown(text)} is neither true nor false.")


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"This is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except InvalidInput:
        raise
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise InvalidInput("This JSON holds a number that is too long.") from None
    except RecursionError:
        raise InvalidInput(f"This JSON is nested more than {NESTING_LIMIT} levels deep.") from None


def _no_constant(name: str) -> Any:
    raise InvalidInput(f"{name} is not a value that JSON knows.")


_WANTED = {
    InputType.STRING: ("text", str),
    InputType.NUMBER: ("a number", (int, float)),
    InputType.BOOLEAN: ("true or false", bool),
    InputType.OBJECT: ('a JSON object like {"key": "value"}', dict),
    InputType.ARRAY_STRING: ("a list of texts", str),
    InputType.ARRAY_NUMBER: ("a list of numbers", (int, float)),
    InputType.ARRAY_BOOLEAN: ("a list of true and false", bool),
    InputType.ARRAY_OBJECT: ('a JSON array of objects like [{"key": "value"}]', dict),
}


def _check_type(field: Input, value: Any) -> None:
    words, wanted = _WANTED[field.type]
    items = value if field.is_list else [value]
    if not isinstance(items, list) or not all(_is(item, wanted) for item in items):
        raise InvalidInput(f"This takes {words}.")


def _is(item: Any, wanted: Any) -> bool:
    # In Python a bool is an int; in JSON it isn't a number.
    return isinstance(item, wanted) and (wanted is bool or not isinstance(item, bool))


def _check_storable(value: Any, depth: int = 0) -> None:
    if depth > NESTING_LIMIT:
        raise InvalidInput(f"This is nested more than {NESTING_LIMIT} levels deep.")
    match value:
        case str() if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise InvalidInput("This holds a character that can't be stored (NUL or half of a pair).")
        case int() if abs(value) > EXACT_INTEGER:
            raise InvalidInput(f"Whole numbers beyond ±{EXACT_INTEGER:,} can't be passed on exactly; use text.")
        case float() if not math.isfinite(value):
            raise InvalidInput("This number is too large.")
        case dict():
            for key, item in value.items():
                _check_name(key)
                _check_storable(item, depth + 1)
        case list():
            for item in value:
                _check_storable(item, depth + 1)
        case None | str() | int() | float():
            return
        case _:  # YAML knows more than JSON does: dates, sets, bytes
            raise InvalidInput(f"{_shown(str(value))} is not a value that JSON knows. Write a date in quotes.")


def _check_name(key: Any) -> None:
    if not isinstance(key, str):  # as YAML allows
        raise InvalidInput(f"Names in a JSON object are texts: write {_shown(str(key))} in quotes.")
    _check_storable(key)


def _shown(value: Any) -> str:
    text = as_text(value)
    return f"“{text[:60]}…”" if len(text) > 60 else f"“{text}”"
