"""Trigger ids: each is good for 3 seconds and one use (Slack docs: surfaces/modals)."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from bot.sandbox.slack.api_error import ApiError

TRIGGER_SECONDS = 3.0


@dataclass
class _Trigger:
    user: str
    from_view: str | None
    given_at: float
    used: bool = False


class TriggerIds:
    """Gives trigger ids and takes each back once."""

    def __init__(self) -> None:
        self._given: dict[str, _Trigger] = {}

    def give(self, user_id: str, from_view: str | None = None) -> str:
        """A fresh trigger id for a person's deed; `from_view` is the modal it was done in."""
        trigger_id = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._given[trigger_id] = _Trigger(user_id, from_view, time.monotonic())
        return trigger_id

    def check(self, trigger_id: object) -> tuple[str, str | None]:
        """Whose trigger it is and from which modal.

        Raises:
            ApiError: invalid_trigger_id, exchanged_trigger_id (used) or expired_trigger_id (older than 3 s).
        """
        trigger = self._given.get(str(trigger_id))
        if trigger is None:
            raise ApiError("invalid_trigger_id")
        if trigger.used:
            raise ApiError("exchanged_trigger_id")
        if time.monotonic() - trigger.given_at > TRIGGER_SECONDS:
            raise ApiError("expired_trigger_id")
        return trigger.user, trigger.from_view

    def use(self, trigger_id: object) -> None:
        self._given[str(trigger_id)].used = True

    def expire(self) -> None:
        """Make every trigger id given so far too old, so that a test need not wait."""
        for trigger in self._given.values():
            trigger.given_at -= TRIGGER_SECONDS + 1
