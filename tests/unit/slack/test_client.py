"""What is no answer of Slack's API is told like one that names no error, so that whoever asked knows what to do with it."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.errors import SlackApiError

from bot.slack.client import SlackClient
from bot.slack.witness import retry_after
from bot.use_cases.telemetry import Telemetry


@pytest.mark.parametrize(
    ("text", "content_type"),
    [
        ("upstream connect error", "text/plain"),
        ("<html>", "text/html"),
        ("{", "application/json"),
        ("[]", "application/json"),
    ],
)
async def test_what_a_server_in_trouble_answers_names_no_error(text: str, content_type: str) -> None:
    async def trouble(_: web.Request) -> web.Response:
        return web.Response(status=503, text=text, content_type=content_type, headers={"Retry-After": "7"})

    app = web.Application()
    app.router.add_post("/{method}", trouble)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        client = SlackClient(Telemetry(), base_url=str(server.make_url("/")), session=session, retry_handlers=[])
        with pytest.raises(SlackApiError) as told:
            await client.chat_postMessage(channel="C01", text="Hello", token="xoxb-1")
    response = told.value.response
    assert (response.get("error"), response.status_code, retry_after(told.value)) == (None, 503, 7.0)
