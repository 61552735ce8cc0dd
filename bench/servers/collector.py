"""A collector of traces that takes everything and keeps nothing."""

from __future__ import annotations

import asyncio

from aiohttp import web

from bench.servers.outset import given, ready


async def serve() -> None:
    """Run until stopped."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({})

    application = web.Application(client_max_size=100_000_000)
    application.router.add_post("/v1/traces", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ready(int(runner.addresses[0][1]))
    await asyncio.Event().wait()


if __name__ == "__main__":
    given()
    asyncio.run(serve())
