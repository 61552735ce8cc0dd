"""The Socket Mode connection: Slack's requests without an address of our own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import InvalidSettings
from bot.slack.directory import REFUSED_TOKEN, UNREACHABLE
from bot.slack.heard import Heard

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def connected(app: AsyncApp, client: AsyncWebClient, heard: Heard, token: str) -> AsyncIterator[None]:
    """Take requests over a socket until left. Raises InvalidSettings where Slack refuses the token."""
    socket = await _open_socket(app, client, heard, token)
    # It tries until it succeeds, so a Slack that is away at the start is waited for beside the rest.
    connecting = asyncio.create_task(socket.connect_async())  # type: ignore[no-untyped-call]  # Bolt's
    try:
        yield
    finally:
        connecting.cancel()
        await socket.close_async()  # type: ignore[no-untyped-call]  # as above


async def _open_socket(app: AsyncApp, client: AsyncWebClient, heard: Heard, token: str) -> AsyncSocketModeHandler:
    """A Socket Mode connection about to be made. Raises InvalidSettings where Slack refuses the token."""
    socket = AsyncSocketModeHandler(app, token, web_client=client)
    socket.client.message_listeners.append(heard.socket_message)
    try:
        answer = await client.apps_connections_open(app_token=token)
    except SlackApiError as error:
        if error.response.get("error") in REFUSED_TOKEN:
            raise InvalidSettings(
                "Slack refuses SLACK_APP_TOKEN. Make one at Basic Information, App-Level Tokens, with connections:write."
            ) from None
    except UNREACHABLE:
        log.warning("Slack does not answer; the socket is opened as soon as it does")
    else:
        socket.client.wss_uri = answer[
            "url"
        ]  # Slack gives out few of these a minute, so it is used and not thrown away
    return socket
