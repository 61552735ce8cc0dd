"""A bare Bolt with its defaults: AsyncApp with a token and a secret, its own aiohttp server, a command that only acks."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bench.servers.outset import BOT_TOKEN, PATH, SIGNING_SECRET, given, ready


async def serve(slack: str) -> None:
    """Serve until killed."""
    client = AsyncWebClient(token=BOT_TOKEN, base_url=slack)
    app = AsyncApp(token=BOT_TOKEN, signing_secret=SIGNING_SECRET, client=client)

    @app.command("/workflow")
    async def nothing(ack: Any) -> None:
        await ack()

    runner = web.AppRunner(app.web_app(path=PATH), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ready(int(runner.addresses[0][1]))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(given()["slack"]))
