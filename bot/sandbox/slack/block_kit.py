"""What Slack refuses in blocks, views and messages, as a list of problems with JSON pointers.

Pure. Newer blocks whose surfaces aren't documented are refused, so that nothing passes here that Slack may not take.
Sources: Slack docs: reference/block-kit/blocks, reference/views.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from bot.sandbox.slack.composition import (
    TEXT_KINDS,
    Problems,
    check_boolean,
    check_count,
    check_fields,
    check_string,
    check_text,
)
from bot.sandbox.slack.elements import check_element, check_image
from bot.sandbox.slack.records import Json
from bot.sandbox.slack.rich_text import check_rich_text, check_table

BLOCKS_MOST = {"message": 50, "modal": 100, "home": 100}
MESSAGE_ONLY = ("markdown", "table")
MARKDOWN_MOST = 12_000
VIEW_BYTES_MOST = 250_000
MESSAGE_BLOCK_CHARACTERS_MOST = 13_200
"""Undocumented; seen in slackapi/bolt-js issue 2509."""


def check_blocks(problems: Problems, blocks: Any, at: str, surface: str) -> None:
    """Check the blocks of a message, modal or home view, and what must be unique among them."""
    least = 1 if surface == "modal" else 0
    found = check_count(problems, blocks, at, BLOCKS_MOST[surface], least)
    seen: set[str] = set()
    for index, block in enumerate(found):
        here = f"{at}/{index}"
        _check_block(problems, block, here, surface)
        block_id = block.get("block_id") if isinstance(block, dict) else None
        if isinstance(block_id, str) and block_id in seen:
            problems.add(f"{here}/block_id", f"block_id already exists: {block_id}")
        if isinstance(block_id, str):
            seen.add(block_id)
    blocks_read = [block for block in found if isinstance(block, dict)]
    _check_unique_actions(problems, blocks_read, at)
    focused = [e for block in blocks_read for e in elements_of(block) if e.get("focus_on_load") is True]
    if len(focused) > 1:
        problems.add(at, "only one element may have focus_on_load set to true")
    if sum(len(str(b.get("text", ""))) for b in blocks_read if b.get("type") == "markdown") > MARKDOWN_MOST:
        problems.add(at, f"markdown blocks must be less than {MARKDOWN_MOST + 1} characters together")
    if sum(b.get("type") == "table" for b in blocks_read) > 1:
        problems.add(at, "only one table block is allowed")


def elements_of(block: Json) -> list[Json]:
    """The interactive elements of a block: accessory, element or elements."""
    found = [block.get("accessory"), block.get("element")]
    if isinstance(block.get("elements"), list) and block.get("type") == "actions":
        found += block["elements"]
    return [element for element in found if isinstance(element, dict) and element.get("type") != "image"]


def check_view(view: Any, kind: str, at: str = "/view") -> Problems:
    """Check a whole modal (`kind="modal"`) or Home (`kind="home"`)."""
    problems = Problems()
    if not isinstance(view, dict):
        problems.add(at, "must provide an object")
        return problems
    if view.get("type") != kind:
        problems.add(f"{at}/type", f"unsupported type: {view.get('type')}")
        return problems
    common = "callback_id private_metadata external_id clear_on_close notify_on_close"
    if kind == "modal":
        check_fields(problems, view, at, "type title blocks", f"submit close submit_disabled {common}")
    else:
        check_fields(problems, view, at, "type blocks", common)
    for name in ("title", "submit", "close"):
        check_text(problems, view.get(name), f"{at}/{name}", 24)
    check_string(problems, view.get("callback_id"), f"{at}/callback_id", 255, 0)
    check_string(problems, view.get("external_id"), f"{at}/external_id", 255, 0)
    check_string(problems, view.get("private_metadata"), f"{at}/private_metadata", 3000, 0)
    for name in ("clear_on_close", "notify_on_close", "submit_disabled"):
        check_boolean(problems, view.get(name), f"{at}/{name}")
    if "submit_disabled" in view:
        problems.add(f"{at}/submit_disabled", "is only allowed in configuration modals")
    check_blocks(problems, view.get("blocks"), f"{at}/blocks", kind)
    blocks = view.get("blocks") if isinstance(view.get("blocks"), list) else []
    has_input = any(isinstance(block, dict) and block.get("type") == "input" for block in blocks or [])
    if kind == "modal" and has_input and not view.get("submit"):
        problems.add(f"{at}/submit", "a submit button is required when there is an input block")
    return problems


def view_is_too_large(view: Any) -> bool:
    """Whether the view's JSON is over 250 kB."""
    return len(json.dumps(view, separators=(",", ":")).encode()) > VIEW_BYTES_MOST


def message_blocks_are_too_long(blocks: list[Json]) -> bool:
    """Whether a message's blocks have too many characters together (msg_blocks_too_long)."""
    return len(json.dumps(blocks, separators=(",", ":"), ensure_ascii=False)) > MESSAGE_BLOCK_CHARACTERS_MOST


def check_metadata(metadata: Any) -> Problems:
    """Check message metadata: an event type, and a payload of scalars, flat objects or arrays of those."""
    problems = Problems()
    if metadata == {} or not check_fields(problems, metadata, "/metadata", "event_type event_payload"):
        return problems
    check_string(problems, metadata["event_type"], "/metadata/event_type", 255)
    payload = metadata["event_payload"]
    if not isinstance(payload, dict):
        problems.add("/metadata/event_payload", "must provide an object")
        return problems
    for name, value in payload.items():
        items = value if isinstance(value, list) else [value]
        flat = [leaf for item in items for leaf in (item.values() if isinstance(item, dict) else [item])]
        if any(not isinstance(leaf, str | int | float | bool) for leaf in flat):
            problems.add(f"/metadata/event_payload/{name}", "must be a scalar, a flat object or an array of those")
    return problems


def _check_unique_actions(problems: Problems, blocks: list[Json], at: str) -> None:
    for index, block in enumerate(blocks):
        ids = [e["action_id"] for e in elements_of(block) if isinstance(e.get("action_id"), str)]
        for action_id in sorted({i for i in ids if ids.count(i) > 1}):
            problems.add(f"{at}/{index}/elements", f"action_id already exists: {action_id}")


def _check_block(problems: Problems, block: Any, at: str, surface: str) -> None:
    if not isinstance(block, dict):
        problems.add(at, "must provide an object")
        return
    kind = str(block.get("type"))
    check = _BLOCKS.get(kind)
    if check is None or (kind in MESSAGE_ONLY and surface != "message"):
        problems.add(f"{at}/type", f"unsupported type: {kind}")
        return
    check_string(problems, block.get("block_id"), f"{at}/block_id", 255)
    check(problems, block, at)


def _section(problems: Problems, block: Json, at: str) -> None:
    check_fields(problems, block, at, "type", "block_id text fields accessory expand")
    if not block.get("text") and not block.get("fields"):
        problems.add(at, "missing required field: text or fields")
    check_text(problems, block.get("text"), f"{at}/text", 3000, TEXT_KINDS)
    if "fields" in block:
        for index, text in enumerate(check_count(problems, block["fields"], f"{at}/fields", 10)):
            check_text(problems, text, f"{at}/fields/{index}", 2000, TEXT_KINDS)
    if "accessory" in block:
        check_element(problems, block["accessory"], f"{at}/accessory", "section")
    check_boolean(problems, block.get("expand"), f"{at}/expand")


def _header(problems: Problems, block: Json, at: str) -> None:
    check_fields(problems, block, at, "type text", "block_id")
    check_text(problems, block.get("text"), f"{at}/text", 150)


def _divider(problems: Problems, block: Json, at: str) -> None:
    check_fields(problems, block, at, "type", "block_id")


def _image(problems: Problems, block: Json, at: str) -> None:
    check_fields(problems, block, at, "type alt_text", "block_id title image_url slack_file")
    check_image(problems, block, at)
    check_text(problems, block.get("title"), f"{at}/title", 2000)


def _context(problems: Problems, block: Json, at: str) -> None:
    if check_fields(problems, block, at, "type elements", "block_id"):
        for index, element in enumerate(check_count(problems, block["elements"], f"{at}/elements", 10)):
            here = f"{at}/elements/{index}"
            if isinstance(element, dict) and element.get("type") == "image":
                check_element(problems, element, here, "context")
            else:
                check_text(problems, element, here, 3000, TEXT_KINDS)
                if element is None:
                    problems.add(here, "must provide an object")


def _actions(problems: Problems, block: Json, at: str) -> None:
    if check_fields(problems, block, at, "type elements", "block_id"):
        for index, element in enumerate(check_count(problems, block["elements"], f"{at}/elements", 25)):
            check_element(problems, element, f"{at}/elements/{index}", "actions")


def _input(problems: Problems, block: Json, at: str) -> None:
    if not check_fields(problems, block, at, "type label element", "block_id optional hint dispatch_action"):
        return
    check_text(problems, block["label"], f"{at}/label", 2000)
    check_text(problems, block.get("hint"), f"{at}/hint", 2000)
    check_boolean(problems, block.get("optional"), f"{at}/optional")
    check_boolean(problems, block.get("dispatch_action"), f"{at}/dispatch_action")
    check_element(problems, block["element"], f"{at}/element", "input")
    element = block["element"] if isinstance(block["element"], dict) else {}
    if element.get("type") == "file_input" and block.get("dispatch_action"):
        problems.add(f"{at}/dispatch_action", "is not allowed with a file_input")


def _markdown(problems: Problems, block: Json, at: str) -> None:
    check_fields(problems, block, at, "type text", "block_id")
    check_string(problems, block.get("text"), f"{at}/text", MARKDOWN_MOST)


def _video(problems: Problems, block: Json, at: str) -> None:
    optional = "block_id author_name description provider_icon_url provider_name title_url"
    check_fields(problems, block, at, "type alt_text title thumbnail_url video_url", optional)
    check_text(problems, block.get("title"), f"{at}/title", 199)
    check_string(problems, block.get("author_name"), f"{at}/author_name", 49)
    if not re.match(r"https://", str(block.get("video_url"))):
        problems.add(f"{at}/video_url", "must be a valid URL")


_BLOCKS: dict[str, Callable[[Problems, Json, str], None]] = {
    "section": _section,
    "header": _header,
    "divider": _divider,
    "image": _image,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "markdown": _markdown,
    "video": _video,
    "rich_text": check_rich_text,
    "table": check_table,
}
