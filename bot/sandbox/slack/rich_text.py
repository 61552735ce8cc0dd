"""Slack's rules for rich_text and table blocks, the two blocks that nest.

Pure. Sources: Slack docs: reference/block-kit/blocks/rich-text-block and table-block.
"""

from __future__ import annotations

from typing import Any

from bot.sandbox.slack.composition import (
    Problems,
    check_boolean,
    check_count,
    check_fields,
    check_integer,
    check_string,
)
from bot.sandbox.slack.records import Json

_LEAVES = {
    "text": ("text", "style"),
    "link": ("url", "text unsafe style"),
    "user": ("user_id", "style"),
    "usergroup": ("usergroup_id", "style"),
    "channel": ("channel_id", "style"),
    "emoji": ("name", "unicode style skin_tone"),
    "broadcast": ("range", ""),
    "date": ("timestamp format", "url fallback"),
    "color": ("value", ""),
}
_STYLES = {"bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink"}
_CONTAINERS = {
    "rich_text_section": "",
    "rich_text_quote": "border",
    "rich_text_preformatted": "border language",
    "rich_text_list": "style indent offset border",
}


def check_rich_text(problems: Problems, block: Json, at: str) -> None:
    """Check a rich_text block down to its leaves."""
    if not check_fields(problems, block, at, "type elements", "block_id"):
        return
    for index, part in enumerate(check_count(problems, block["elements"], f"{at}/elements", 10_000)):
        _check_container(problems, part, f"{at}/elements/{index}")


def _check_container(problems: Problems, part: Any, at: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in _CONTAINERS:
        problems.add(f"{at}/type", f"unsupported type: {kind}")
        return
    if not check_fields(problems, part, at, "type elements", _CONTAINERS[kind]):
        return
    if kind == "rich_text_list" and part.get("style") not in ("bullet", "ordered"):
        problems.add(f"{at}/style", "must be one of: bullet, ordered")
    check_integer(problems, part.get("indent"), f"{at}/indent", 0, 8)
    for index, element in enumerate(check_count(problems, part["elements"], f"{at}/elements", 10_000, 0)):
        here = f"{at}/elements/{index}"
        if kind == "rich_text_list":
            if not isinstance(element, dict) or element.get("type") != "rich_text_section":
                problems.add(f"{here}/type", "must be one of: rich_text_section")
            else:
                _check_container(problems, element, here)
        else:
            _check_leaf(problems, element, here)


def _check_leaf(problems: Problems, leaf: Any, at: str) -> None:
    kind = leaf.get("type") if isinstance(leaf, dict) else None
    if kind not in _LEAVES:
        problems.add(f"{at}/type", f"unsupported type: {kind}")
        return
    required, optional = _LEAVES[kind]
    if not check_fields(problems, leaf, at, f"type {required}", optional):
        return
    for name in required.split():
        if name == "timestamp":
            check_integer(problems, leaf[name], f"{at}/{name}", 0, 10**11)
        else:
            check_string(problems, leaf[name], f"{at}/{name}", 100_000)
    style = leaf.get("style")
    if style is not None and check_fields(problems, style, f"{at}/style", "", " ".join(_STYLES)):
        for name, value in style.items():
            check_boolean(problems, value, f"{at}/style/{name}")


def check_table(problems: Problems, block: Json, at: str) -> None:
    """Check a table: at most 100 rows of at most 20 cells, cells raw_text or rich_text."""
    if not check_fields(problems, block, at, "type rows", "block_id column_settings"):
        return
    for row_index, row in enumerate(check_count(problems, block["rows"], f"{at}/rows", 100)):
        for index, cell in enumerate(check_count(problems, row, f"{at}/rows/{row_index}", 20)):
            here = f"{at}/rows/{row_index}/{index}"
            kind = cell.get("type") if isinstance(cell, dict) else None
            if kind == "raw_text":
                if check_fields(problems, cell, here, "type text"):
                    check_string(problems, cell["text"], f"{here}/text", 100_000)
            elif kind == "rich_text":
                check_rich_text(problems, cell, here)
            else:
                problems.add(f"{here}/type", f"unsupported type: {kind}")
    if "column_settings" in block:
        check_count(problems, block["column_settings"], f"{at}/column_settings", 20)
