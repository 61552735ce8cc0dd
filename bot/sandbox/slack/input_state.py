"""What a person's client does with the elements of a view or message: initial values, typed values, its own refusals.

Pure apart from the surface it is given: turns raw values (a string, a list, None) into Slack's state shapes and back.
Source: Slack docs: reference/interaction-payloads/view-interactions-payload, reference/block-kit/block-elements.
"""

from __future__ import annotations

import copy
import re
import secrets
from collections.abc import Iterator
from typing import Any

from bot.sandbox.slack.block_kit import elements_of
from bot.sandbox.slack.elements import TEXT_CEILING, decimal_of, options_of
from bot.sandbox.slack.records import Json, Surface, Values, View


class ClientRefused(Exception):
    """Slack's own client would not let the person do this: nothing was sent to the bot."""


STATE_KEYS = {
    "plain_text_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "number_input": "value",
    "rich_text_input": "rich_text_value",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "radio_buttons": "selected_option",
    "static_select": "selected_option",
    "external_select": "selected_option",
    "checkboxes": "selected_options",
    "multi_static_select": "selected_options",
    "multi_external_select": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "file_input": "files",
}


def normalise(blocks: list[Json]) -> list[Json]:
    """A copy of the blocks with what Slack fills in: missing block and action ids, and text defaults."""
    blocks = copy.deepcopy(blocks)
    for block in blocks:
        block.setdefault("block_id", secrets.token_urlsafe(4)[:5])
        for element in elements_of(block):
            element.setdefault("action_id", secrets.token_urlsafe(4)[:5])
        _fill_text_defaults(block)
        if block["type"] == "input":
            block.setdefault("optional", False)
            block.setdefault("dispatch_action", False)
    return blocks


def _fill_text_defaults(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _fill_text_defaults(item)
    elif isinstance(value, dict):
        if value.get("type") == "plain_text":
            value.setdefault("emoji", True)
        elif value.get("type") == "mrkdwn":
            value.setdefault("verbatim", False)
        for item in value.values():
            _fill_text_defaults(item)


def stateful(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Each (block, element) that has a value in the state."""
    for block in blocks:
        for element in elements_of(block):
            if element["type"] in STATE_KEYS:
                yield block, element


def initial_values(blocks: list[Json], kept: Values | None = None) -> Values:
    """The state of fresh blocks; what was typed stays where block_id, action_id and type are unchanged."""
    values: Values = {}
    for block, element in stateful(blocks):
        old = (kept or {}).get(block["block_id"], {}).get(element["action_id"])
        same = old is not None and old["type"] == element["type"] and _still_offered(element, old)
        state = old if same and old is not None else _initial_state(element)
        values.setdefault(block["block_id"], {})[element["action_id"]] = state
    return values


def _still_offered(element: Json, state: Json) -> bool:
    if "external" in element["type"]:
        return True
    chosen = [state["selected_option"]] if state.get("selected_option") else state.get("selected_options") or []
    values = {option["value"] for option in options_of(element)}
    return all(option["value"] in values for option in chosen)


def _initial_state(element: Json) -> Json:
    key = STATE_KEYS[element["type"]]
    name = {"value": "initial_value", "rich_text_value": "initial_value"}.get(key, key.replace("selected", "initial"))
    empty: Any = [] if key.endswith("s") else None
    state: Json = {"type": element["type"], key: copy.deepcopy(element.get(name, empty))}
    if element.get("timezone"):
        state["timezone"] = element["timezone"]
    return state


def state_of(element: Json, raw: Any, offered: list[Json]) -> Json:
    """Turn a raw value into the element's state.

    Raises:
        ClientRefused: the value isn't among the options, or has a form that the element can't hold.
    """
    kind, key = element["type"], STATE_KEYS[element["type"]]
    state: Json = {"type": kind}
    if key == "selected_option":
        state[key] = None if raw in (None, "") else find_option(raw, offered)
    elif key == "selected_options":
        items = raw if isinstance(raw, list | tuple | set) else [] if raw in (None, "") else [raw]
        state[key] = [find_option(item, offered) for item in items]
        if len(items) > element.get("max_selected_items", len(items)):
            raise ClientRefused(f"at most {element['max_selected_items']} may be selected")
    elif key.endswith("s"):
        state[key] = list(raw or [])
    elif key == "selected_date_time":
        state[key] = None if raw in (None, "") else int(raw)
    elif key == "rich_text_value":
        state[key] = _rich(raw) if isinstance(raw, str) and raw else raw or None
    else:
        state[key] = None if raw in (None, "") else str(raw)
    if element.get("timezone"):
        state["timezone"] = element["timezone"]
    return state


def _rich(text: str) -> Json:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [section]}


def find_option(wanted: Any, offered: list[Json]) -> Json:
    """The option with this value, or else this text.

    Raises:
        ClientRefused: there is none.
    """
    for option in offered:
        if option["value"] == str(wanted):
            return {name: option[name] for name in ("text", "value", "description") if name in option}
    for option in offered:
        if option["text"]["text"] == str(wanted):
            return {name: option[name] for name in ("text", "value", "description") if name in option}
    raise ClientRefused(f"no option {wanted!r} among {[option['value'] for option in offered]}")


def offered_options(surface: Surface, block: Json, element: Json) -> list[Json]:
    """The options a person can pick: the element's own, or those last suggested and those already chosen."""
    if "external" not in element["type"]:
        return options_of(element)
    state = surface.values.get(block["block_id"], {}).get(element["action_id"], {})
    chosen = [state.get("selected_option")] + (state.get("selected_options") or [])
    return surface.offered.get((block["block_id"], element["action_id"]), []) + [o for o in chosen if o]


def set_value(surface: Surface, block: Json, element: Json, raw: Any) -> Json:
    """Put a raw value into the surface's state and return the state of the element."""
    state = state_of(element, raw, offered_options(surface, block, element))
    surface.values.setdefault(block["block_id"], {})[element["action_id"]] = state
    return state


def refusals(view: View) -> dict[str, str]:
    """What the client itself refuses at Submit, by block_id: nothing is sent while there is one."""
    found: dict[str, str] = {}
    for block, element in stateful(view.blocks):
        if block["type"] != "input":
            continue
        state = view.values[block["block_id"]][element["action_id"]]
        value = state[STATE_KEYS[element["type"]]]
        if value in (None, "", []) or (isinstance(value, str) and not value.strip()):
            message = None if block.get("optional") else "Please complete this required field."
        else:
            message = _refusal(element, value)
        if message:
            found[block["block_id"]] = message
    return found


def _refusal(element: Json, value: Any) -> str | None:
    kind = element["type"]
    if kind == "plain_text_input":
        least, most = element.get("min_length", 0), element.get("max_length", TEXT_CEILING)
        if len(value) > most:
            return f"Must be at most {most} characters."
        return f"Must be at least {least} characters." if len(value) < least else None
    if kind == "number_input":
        return _number_refusal(element, value)
    if kind == "email_text_input" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        return "Please enter a valid email address."
    if kind == "url_text_input" and not re.match(r"https?://\S+$", value):
        return "Please enter a valid URL."
    if kind == "datepicker" and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return "Please enter a valid date."
    if kind == "timepicker" and not re.fullmatch(r"\d{2}:\d{2}", value):
        return "Please enter a valid time."
    return None


def _number_refusal(element: Json, value: str) -> str | None:
    number = decimal_of(value)
    if number is None:
        return "Please enter a valid number."
    if not element.get("is_decimal_allowed") and number != number.to_integral_value():
        return "Please enter a whole number."
    least, most = decimal_of(element.get("min_value")), decimal_of(element.get("max_value"))
    if least is not None and number < least:
        return f"Please enter a number greater than or equal to {least}."
    if most is not None and number > most:
        return f"Please enter a number less than or equal to {most}."
    return None
