"""Small valid pieces of Block Kit, to be spoiled one limit at a time."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def plain(text: str = "x") -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str = "x") -> Json:
    return {"type": "mrkdwn", "text": text}


def option(value: str = "v", text: str = "t", **more: Any) -> Json:
    return {"text": plain(text), "value": value, **more}


def options(count: int) -> list[Json]:
    return [option(f"v{i}") for i in range(count)]


def section(**more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(), **more}


def actions(*elements: Json, **more: Any) -> Json:
    return {"type": "actions", "elements": list(elements), **more}


def button(action_id: str = "press", **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain("Press"), **more}


def select(**more: Any) -> Json:
    return {
        "type": "static_select",
        "action_id": "pick",
        **({} if "option_groups" in more else {"options": options(1)}),
        **more,
    }


def external(**more: Any) -> Json:
    return {"type": "external_select", "action_id": "pick", "min_query_length": 0, **more}


def text_input(**more: Any) -> Json:
    return {"type": "plain_text_input", "action_id": "typed", **more}


def number_input(**more: Any) -> Json:
    return {"type": "number_input", "action_id": "typed", "is_decimal_allowed": False, **more}


def field(element: Json, block_id: str = "field", **more: Any) -> Json:
    return {"type": "input", "block_id": block_id, "label": plain("Field"), "element": element, **more}


def modal(*blocks: Json, **more: Any) -> Json:
    shown = list(blocks) or [section()]
    return {
        "type": "modal",
        "title": plain("Title"),
        "submit": plain("Go"),
        "callback_id": "form",
        "blocks": shown,
        **more,
    }
