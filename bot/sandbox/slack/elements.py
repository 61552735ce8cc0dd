"""Slack's rules for Block Kit elements: which properties, which limits, and in which block each may stand.

Pure. Sources: Slack docs: reference/block-kit/block-elements, one page per element.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from bot.sandbox.slack.composition import (
    PLAIN,
    TEXT_KINDS,
    Problems,
    check_boolean,
    check_confirm,
    check_dispatch_config,
    check_fields,
    check_filter,
    check_integer,
    check_option,
    check_options,
    check_options_or_groups,
    check_string,
    check_style,
    check_text,
)
from bot.sandbox.slack.records import Json

TEXT_CEILING = 3000


@dataclass(frozen=True)
class ElementRule:
    """Properties of an element besides `type` and `action_id`, and the blocks that take it."""

    places: str
    required: str = ""
    optional: str = ""


_SELECT = "placeholder confirm focus_on_load"
_MULTI = f"{_SELECT} max_selected_items"
_TYPED = "initial_value placeholder focus_on_load dispatch_action_config"
_CONVERSATION = "default_to_current_conversation filter"

RULES: dict[str, ElementRule] = {
    "button": ElementRule("section actions", "text", "url value style confirm accessibility_label"),
    "overflow": ElementRule("section actions", "options", "confirm"),
    "image": ElementRule("section context", "alt_text", "image_url slack_file"),
    "static_select": ElementRule("section actions input", "", f"options option_groups initial_option {_SELECT}"),
    "external_select": ElementRule("section actions input", "", f"initial_option min_query_length {_SELECT}"),
    "users_select": ElementRule("section actions input", "", f"initial_user {_SELECT}"),
    "conversations_select": ElementRule(
        "section actions input", "", f"initial_conversation response_url_enabled {_CONVERSATION} {_SELECT}"
    ),
    "channels_select": ElementRule("section actions input", "", f"initial_channel response_url_enabled {_SELECT}"),
    "multi_static_select": ElementRule("section input", "", f"options option_groups initial_options {_MULTI}"),
    "multi_external_select": ElementRule("section input", "", f"initial_options min_query_length {_MULTI}"),
    "multi_users_select": ElementRule("section input", "", f"initial_users {_MULTI}"),
    "multi_conversations_select": ElementRule("section input", "", f"initial_conversations {_CONVERSATION} {_MULTI}"),
    "multi_channels_select": ElementRule("section input", "", f"initial_channels {_MULTI}"),
    "checkboxes": ElementRule("section actions input", "options", "initial_options confirm focus_on_load"),
    "radio_buttons": ElementRule("section actions input", "options", "initial_option confirm focus_on_load"),
    "datepicker": ElementRule("section actions input", "", f"initial_date {_SELECT}"),
    "timepicker": ElementRule("section actions input", "", f"initial_time timezone {_SELECT}"),
    "datetimepicker": ElementRule("actions input", "", "initial_date_time confirm focus_on_load"),
    "plain_text_input": ElementRule("input", "", f"multiline min_length max_length {_TYPED}"),
    "email_text_input": ElementRule("input", "", _TYPED),
    "url_text_input": ElementRule("input", "", _TYPED),
    "number_input": ElementRule("input", "is_decimal_allowed", f"min_value max_value {_TYPED}"),
    "rich_text_input": ElementRule("input", "", _TYPED),
    "file_input": ElementRule("input", "", "filetypes max_files"),
}

_PATTERNS = {
    "initial_date": r"\d{4}-\d{2}-\d{2}",
    "initial_time": r"([01]\d|2[0-3]):[0-5]\d",
    "initial_user": r"[UW][A-Z0-9]+",
    "initial_channel": r"C[A-Z0-9]+",
    "initial_conversation": r"[CDG][A-Z0-9]+",
}
_BOOLEANS = (
    "focus_on_load",
    "multiline",
    "is_decimal_allowed",
    "default_to_current_conversation",
    "response_url_enabled",
)


def check_element(problems: Problems, element: Any, at: str, place: str) -> None:
    """Check one element that stands in a block of kind `place` (section, actions, input or context)."""
    if not isinstance(element, dict):
        problems.add(at, "must provide an object")
        return
    kind = element.get("type")
    rule = RULES.get(str(kind))
    if rule is None or place not in rule.places.split():
        problems.add(f"{at}/type", f"unsupported type: {kind}")
        return
    identity = "" if kind == "image" else "action_id "
    if not check_fields(problems, element, at, f"type {rule.required}", identity + rule.optional):
        return
    check_string(problems, element.get("action_id"), f"{at}/action_id", 255)
    _check_shared(problems, element, at)
    _check_choices(problems, element, at)
    if kind == "button":
        _check_button(problems, element, at)
    elif kind == "image":
        check_image(problems, element, at)
    elif place == "input":
        _check_typed(problems, element, at)


def check_image(problems: Problems, image: Json, at: str) -> None:
    """Check what image blocks and image elements have in common."""
    check_string(problems, image.get("alt_text"), f"{at}/alt_text", 2000)
    if ("image_url" in image) == ("slack_file" in image):
        problems.add(at, "must define either image_url or slack_file")
    url = image.get("image_url")
    if check_string(problems, url, f"{at}/image_url", 3000) and url and not re.match(r"https?://", url):
        problems.add(f"{at}/image_url", "must be a valid URL")


def _check_shared(problems: Problems, element: Json, at: str) -> None:
    check_text(problems, element.get("placeholder"), f"{at}/placeholder", 150)
    check_confirm(problems, element.get("confirm"), f"{at}/confirm")
    check_filter(problems, element.get("filter"), f"{at}/filter")
    check_dispatch_config(problems, element.get("dispatch_action_config"), f"{at}/dispatch_action_config")
    check_integer(problems, element.get("max_selected_items"), f"{at}/max_selected_items", 1, 10_000)
    check_integer(problems, element.get("min_query_length"), f"{at}/min_query_length", 0, 10_000)
    check_integer(problems, element.get("initial_date_time"), f"{at}/initial_date_time", 10**9, 10**10 - 1)
    check_integer(problems, element.get("max_files"), f"{at}/max_files", 1, 10)
    for name in _BOOLEANS:
        check_boolean(problems, element.get(name), f"{at}/{name}")
    for name, pattern in _PATTERNS.items():
        value = element.get(name)
        if value is not None and not (isinstance(value, str) and re.fullmatch(pattern, value)):
            problems.add(f"{at}/{name}", "is not a valid value")


def _check_button(problems: Problems, button: Json, at: str) -> None:
    check_text(problems, button["text"], f"{at}/text", 75)
    check_string(problems, button.get("value"), f"{at}/value", 2000)
    check_string(problems, button.get("url"), f"{at}/url", 3000)
    check_string(problems, button.get("accessibility_label"), f"{at}/accessibility_label", 75)
    check_style(problems, button.get("style"), f"{at}/style")


def _check_choices(problems: Problems, element: Json, at: str) -> None:
    kind = element["type"]
    if kind in ("checkboxes", "radio_buttons"):
        check_options(problems, element["options"], f"{at}/options", 10, kinds=TEXT_KINDS)
    elif kind == "overflow":
        check_options(problems, element["options"], f"{at}/options", 5, url=True)
    elif kind in ("static_select", "multi_static_select"):
        check_options_or_groups(problems, element, at)
    offered = options_of(element)
    kinds = TEXT_KINDS if kind in ("checkboxes", "radio_buttons") else PLAIN
    initial: list[tuple[str, Any]] = []
    if "initial_option" in element:
        initial.append((f"{at}/initial_option", element["initial_option"]))
    if "initial_options" in element:
        found = element["initial_options"]
        if not isinstance(found, list) or not found:
            problems.add(f"{at}/initial_options", "no fewer than 1 items allowed [0 given]")
        else:
            initial += [(f"{at}/initial_options/{i}", option) for i, option in enumerate(found)]
    for here, option in initial:
        check_option(problems, option, here, kinds=kinds)
        if "external" not in kind and not any(_same_option(option, other) for other in offered):
            problems.add(here, "must match one of the options")


def _check_typed(problems: Problems, element: Json, at: str) -> None:
    kind = element["type"]
    if kind == "rich_text_input":
        return
    check_integer(problems, element.get("min_length"), f"{at}/min_length", 0, TEXT_CEILING)
    check_integer(problems, element.get("max_length"), f"{at}/max_length", 1, TEXT_CEILING)
    least, most = element.get("min_length", 0), element.get("max_length", TEXT_CEILING)
    if isinstance(least, int) and isinstance(most, int) and least > most:
        problems.add(f"{at}/min_length", "must be less than or equal to max_length")
    value = element.get("initial_value")
    most = most if isinstance(most, int) and kind == "plain_text_input" else TEXT_CEILING
    check_string(problems, value, f"{at}/initial_value", most)
    if kind == "number_input":
        _check_number(problems, element, at)


def _check_number(problems: Problems, element: Json, at: str) -> None:
    numbers: dict[str, Decimal] = {}
    for name in ("min_value", "max_value", "initial_value"):
        value = element.get(name)
        if value is None:
            continue
        number = decimal_of(value)
        if number is None:
            problems.add(f"{at}/{name}", "must be a string that holds a number")
        elif not element["is_decimal_allowed"] and number != number.to_integral_value():
            problems.add(f"{at}/{name}", "must be an integer when is_decimal_allowed is false")
        else:
            numbers[name] = number
    least, most = numbers.get("min_value"), numbers.get("max_value")
    initial = numbers.get("initial_value")
    if least is not None and most is not None and least > most:
        problems.add(f"{at}/min_value", "must be less than or equal to max_value")
    if initial is not None and ((least is not None and initial < least) or (most is not None and initial > most)):
        problems.add(f"{at}/initial_value", "must be between min_value and max_value")


def decimal_of(value: Any) -> Decimal | None:
    """A number written as a string, or None for anything else."""
    try:
        number = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def options_of(element: Json) -> list[Json]:
    """All options of an element, grouped or not."""
    groups = element.get("option_groups")
    lists = [group.get("options") for group in groups if isinstance(group, dict)] if isinstance(groups, list) else []
    lists.append(element.get("options"))
    return [option for found in lists if isinstance(found, list) for option in found if isinstance(option, dict)]


def _same_option(one: Any, other: Json) -> bool:
    return isinstance(one, dict) and all(
        _words(one.get(name)) == _words(other.get(name)) for name in ("text", "value", "description")
    )


def _words(value: Any) -> Any:
    return value.get("text") if isinstance(value, dict) else value
