"""The socket's loop by itself; tests/acceptance/test_socket.py has it between Slack and the bot."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.slack.heard import Heard
from bot.slack.socket import Socket


async def test_a_bot_that_stops_does_not_wait_for_a_socket_that_is_being_opened() -> None:
    asked, stop = asyncio.Event(), asyncio.Event()
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    class Slack:
        async def apps_connections_open(self, **_: object) -> None:
            asked.set()
            await never

    slack: Any = Slack()
    nothing: Any = None  # no socket is opened, so nothing is dispatched
    listening = asyncio.create_task(Socket(nothing, slack, nothing, "xapp-1", Heard()).listen(stop))
    await asked.wait()
    stop.set()
    await asyncio.wait_for(listening, 5)  # Slack would have 10
    assert never.cancelled()
