"""Asking Slack: patient where it limits, and with its reason where it says no."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.slack.directory import UNREACHABLE
from bot.slack.witness import retry_after

PATIENCE = 3  # how often a call that Slack limits is made
# Slack docs: errors of auth.test
REFUSALS = {
    "invalid_auth": "Slack doesn't know it: cut off, mistyped, of an app that is gone, or used from an address that the"
    " app's allowed IP addresses don't have",
    "token_revoked": "it was revoked",
    "account_inactive": "the app was taken out of the workspace, or its bot was deactivated",
    "token_expired": "it has expired, as token rotation is on for the app",
    "not_allowed_token_type": "it is a token of another kind",
}

Call = Callable[[], Coroutine[Any, Any, Any]]


def header(headers: Mapping[str, str], name: str) -> str:
    """The header of that name, in whichever letters; empty where there is none."""
    return next((value for each, value in headers.items() if each.lower() == name.lower()), "")


async def ask(call: Call) -> tuple[Any | None, str]:
    """Slack's answer, or None and why not: its error, or what kept it from being reached. Waits where Slack limits."""
    for _ in range(PATIENCE):
        try:
            return await call(), ""
        except SlackApiError as error:
            reason = str(error.response.get("error"))
            if reason != "ratelimited":
                return None, reason
            await asyncio.sleep(min(retry_after(error) or 1, 60))
        except UNREACHABLE as error:
            return None, f"no answer: {type(error).__name__}"
    return None, "ratelimited"
