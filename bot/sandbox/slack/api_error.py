"""How the Web API says no: one exception carrying Slack's error code."""

from __future__ import annotations

from collections.abc import Iterable

from bot.sandbox.slack.composition import Problem
from bot.sandbox.slack.records import Json

NOT_A_FAULT_OF_THE_BOT = {
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "user_not_found",
    "user_not_in_channel",
    "no_such_subteam",
    "not_found",
    "message_not_found",
    "hash_conflict",
    "edit_window_closed",
    "already_reacted",
    "ratelimited",
    "users_not_found",
}
"""Errors that a correct bot may meet; every other one is recorded as a violation."""


class ApiError(Exception):
    """A Web API method answers `{"ok": false, "error": code}`."""

    def __init__(self, code: str, problems: Iterable[Problem] = (), *, status: int = 200, **extra: object) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.messages = [str(problem) for problem in problems]
        self.extra = extra

    def to_json(self) -> Json:
        answer: Json = {"ok": False, "error": self.code, **self.extra}
        if self.messages:
            answer["response_metadata"] = {"messages": self.messages}
        return answer
