"""The same form again with what was typed in it, and words about what went wrong above: a form is never lost.

But for secrets: those are typed again rather than sent back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.slack.blocks.text import SECTION, cut
from bot.slack.ids import Action

KEPT = ("type", "callback_id", "title", "submit", "close", "blocks", "private_metadata", "clear_on_close")
PROBLEM_BLOCK = "problem"


def refill(view: Mapping[str, Any], words: str) -> dict[str, Any]:
    """The view that was submitted, ready to be shown again. `words` is mrkdwn."""
    state = (view.get("state") or {}).get("values") or {}
    again = {key: view[key] for key in KEPT if view.get(key) is not None}
    problem = {
        "type": "section",
        "block_id": PROBLEM_BLOCK,
        "text": {"type": "mrkdwn", "text": cut(words, SECTION)},
    }
    blocks = [block for block in view.get("blocks") or [] if block.get("block_id") != PROBLEM_BLOCK]
    again["blocks"] = [problem, *(_refilled(block, state) for block in blocks)][:100]
    return again


def _refilled(block: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    if block.get("type") != "input" or not block.get("element"):
        return dict(block)
    element = {key: value for key, value in block["element"].items() if not key.startswith("initial_")}
    typed = state.get(block.get("block_id", ""), {}).get(element.get("action_id", ""), {})
    if element.get("action_id") == Action.SECRET_INPUT:
        return {**block, "element": element}
    if typed.get("value"):
        element["initial_value"] = typed["value"]
    if typed.get("selected_option"):
        element["initial_option"] = typed["selected_option"]
    if typed.get("selected_options"):
        element["initial_options"] = typed["selected_options"]
    return {**block, "element": element}
