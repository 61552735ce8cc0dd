"""A line for Datadog's intake, and where it may go."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.datadog.connections import open_http
from bot.datadog.intake import Intake
from bot.datadog.sites import find_site
from bot.domain.errors import NotWitnessed


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/somewhere/else"})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", elsewhere)
    async with TestServer(application) as server, open_http() as http:
        tell = Intake(http, find_site("datadoghq.com"), "api-key", str(server.make_url("")), "logs")
        with pytest.raises(NotWitnessed, match="answered with status 307"):
            await tell(1, "a line")
    assert asked == ["/api/v2/logs"]
