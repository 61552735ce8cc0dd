"""What every Web API method here has: its scope, its tier, and the state it works on.

Method families (`chat_methods`, `view_methods`, …) fill a table of these; `web_api` calls them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.api_error import ApiError
from bot.sandbox.slack.composition import Problem
from bot.sandbox.slack.posting import Posting
from bot.sandbox.slack.records import Json
from bot.sandbox.slack.trigger_ids import TriggerIds
from bot.sandbox.slack.view_stack import ViewStack
from bot.sandbox.slack.workspace import Workspace


@dataclass(frozen=True)
class Site:
    """What a method may touch."""

    workspace: Workspace
    posting: Posting
    views: ViewStack
    triggers: TriggerIds
    socket_url: Callable[[], str]


@dataclass(frozen=True)
class Method:
    """One Web API method. `scopes`: one of these is needed (none: no scope). `per_minute`: its rate tier."""

    call: Callable[[Site, Json], Json]
    scopes: tuple[str, ...] = ()
    per_minute: int = 100
    app_token: bool = False


def need(params: Json, *names: str) -> None:
    """Raises ApiError invalid_arguments where a parameter is missing or empty."""
    missing = [name for name in names if params.get(name) in (None, "")]
    if missing:
        raise ApiError("invalid_arguments", [Problem("", f"missing required field: {name}") for name in missing])


def insist_scope(site: Site, *wanted: str) -> None:
    """Raises ApiError missing_scope where the app has none of the scopes."""
    if wanted and not site.workspace.scopes.intersection(wanted):
        provided = ",".join(sorted(site.workspace.scopes))
        raise ApiError("missing_scope", needed=wanted[0], provided=provided)


def is_true(value: object) -> bool:
    """Whether a parameter is true, however it was sent."""
    return value in (True, 1, "1", "true", "True")


def page(items: list[Any], params: Json, name: str, default: int) -> Json:
    """One page of a list, with `response_metadata.next_cursor` (empty on the last).

    Raises:
        ApiError: invalid_limit outside 1-1000, invalid_cursor for one not given out.
    """
    try:
        limit = int(params.get("limit") or default)
        start = int(str(params.get("cursor") or "cursor-0").removeprefix("cursor-"))
    except ValueError:
        raise ApiError("invalid_cursor") from None
    if not 1 <= limit <= 1000:
        raise ApiError("invalid_limit")
    if start > len(items):
        raise ApiError("invalid_cursor")
    following = f"cursor-{start + limit}" if start + limit < len(items) else ""
    return {name: items[start : start + limit], "response_metadata": {"next_cursor": following}}
