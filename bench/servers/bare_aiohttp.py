"""The floor: an aiohttp handler that checks the signature with slack_sdk's SignatureVerifier, reads the form and answers."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from bench.servers.outset import PATH, SIGNING_SECRET, given, ready


async def serve() -> None:
    """Serve until killed."""
    verifier = SignatureVerifier(SIGNING_SECRET)

    async def answer(request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        if not verifier.is_valid_request(body, dict(request.headers.items())):
            return web.Response(status=401)
        fields = dict(parse_qsl(body, keep_blank_values=True))
        return web.Response(status=200 if "command" in fields else 400)

    application = web.Application()
    application.router.add_post(PATH, answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ready(int(runner.addresses[0][1]))
    await asyncio.Event().wait()


if __name__ == "__main__":
    given()
    asyncio.run(serve())
