"""Takes secret inputs out of what Datadog sends back: a workflow may quote what it was given."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

HIDDEN = "(secret)"
SHORTEST = 4  # characters; hiding shorter values would leave holes in every word


def hide(value: Any, secrets: Collection[str]) -> Any:
    """The value with every secret in its texts replaced, however deep."""
    known = sorted({secret for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True)
    return _hide(value, known) if known else value


def _hide(value: Any, secrets: list[str]) -> Any:
    match value:
        case str():
            for secret in secrets:
                value = value.replace(secret, HIDDEN)
            return value
        case Mapping():
            return {_hide(key, secrets): _hide(item, secrets) for key, item in value.items()}
        case list() | tuple():
            return [_hide(item, secrets) for item in value]
        case _:
            return value
