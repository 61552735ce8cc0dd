"""An approver's answer, as it was typed into the review window (Slack docs: reference/views, view.state)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.slack.blocks.review_modal import APPROVE, CODE, COMMENT, DECISION
from bot.slack.ids import Action


@dataclass(frozen=True, slots=True)
class ReviewFields:
    """The decision, the comment, and the one-time code where one was typed."""

    approves: bool
    comment: str
    code: str | None


def read_review(state: Mapping[str, Any]) -> ReviewFields:
    """The fields of a submitted review. Anything but a clear yes is a no."""
    chosen = (_element(state, DECISION).get("selected_option") or {}).get("value")
    code = _element(state, CODE).get("value")
    return ReviewFields(
        chosen == APPROVE, str(_element(state, COMMENT).get("value") or ""), str(code) if code else None
    )


def _element(state: Mapping[str, Any], block_id: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (state.get(block_id) or {}).get(Action.REVIEW_FIELD.value) or {}
    return found
