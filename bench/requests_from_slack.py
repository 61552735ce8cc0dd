"""Signed requests as raw HTTP, each with its own trigger id or form: none is a repetition of another.

They are made before the clock starts, so signing costs the measured time nothing.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote, urlencode

from bench.servers.outset import PATH, SIGNING_SECRET
from bot.sandbox.slack.signing import signed_headers

USERS = 64


def user_of(number: int) -> str:
    """Who sends request `number` where there are `USERS` people; each has a channel of their own."""
    return f"U0BENCH{number % USERS:02d}"


def channel_of(number: int) -> str:
    """Where the person of request `number` is. One channel each: Slack takes about one message a second in a channel."""
    return f"C0BENCH{number % USERS:02d}"


def command(number: int, person: int, text: str) -> bytes:
    """`/workflow TEXT`. It has no response URL: an answer that comes later is posted as a direct message."""
    return _signed(
        urlencode(
            {
                "token": "unused",
                "team_id": "T0BENCH",
                "team_domain": "bench",
                "channel_id": channel_of(person),
                "channel_name": "general",
                "user_id": user_of(person),
                "user_name": "someone",
                "command": "/workflow",
                "text": text,
                "api_app_id": "A0BENCH",
                "is_enterprise_install": "false",
                "trigger_id": f"{number}.{time.time_ns()}.abcdef0123456789abcdef0123456789",
            }
        )
    )


def submission(number: int, person: int, view: dict[str, Any]) -> bytes:
    """The form `view` submitted, with `number` as the input `ticket`."""
    state = {
        "input:service": {"input": {"type": "static_select", "selected_option": _option("checkout")}},
        "input:env": {"input": {"type": "static_select", "selected_option": _option("production")}},
        "input:ticket": {"input": {"type": "plain_text_input", "value": f"{number:08d}"}},
    }
    memory = json.loads(view["private_metadata"]) | {"c": channel_of(person), "n": f"{number:032d}"}
    shown = view | {
        "id": f"V{number:08d}",
        "team_id": "T0BENCH",
        "app_id": "A0BENCH",
        "app_installed_team_id": "T0BENCH",
        "bot_id": "B0BOT",
        "hash": f"{number}.abcdef",
        "root_view_id": f"V{number:08d}",
        "previous_view_id": None,
        "private_metadata": json.dumps(memory),
        "state": {"values": state},
    }
    payload: dict[str, Any] = {
        "type": "view_submission",
        "token": "unused",
        "team": {"id": "T0BENCH", "domain": "bench"},
        "user": {"id": user_of(person), "username": "someone", "name": "someone", "team_id": "T0BENCH"},
        "enterprise": None,
        "is_enterprise_install": False,
        "api_app_id": "A0BENCH",
        "trigger_id": f"{number}.{time.time_ns()}.abcdef0123456789abcdef0123456789",
        "view": shown,
        "response_urls": [],
    }
    return _signed("payload=" + quote(json.dumps(payload)))


def _option(value: str) -> dict[str, Any]:
    return {"value": value, "text": {"type": "plain_text", "text": value}}


def _signed(body: str) -> bytes:
    headers = {
        "Host": "127.0.0.1",
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "Accept": "application/json,*/*",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
        **signed_headers(SIGNING_SECRET, body),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {PATH} HTTP/1.1\r\n{lines}\r\n{body}".encode()
