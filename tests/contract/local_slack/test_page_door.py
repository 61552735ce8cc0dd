"""What the browser page's server does for the page as a whole: who is shown, what may run in it, and a tab that closes."""

from __future__ import annotations

import json
import logging

import aiohttp
import pytest

from bot.sandbox.slack import LocalSlack, Person


async def test_a_stream_for_nobody_in_particular_shows_the_first_person(slack: LocalSlack) -> None:
    async with aiohttp.ClientSession(slack.url) as session, session.get("/ui/stream") as answer:
        line = await answer.content.readline()
    assert json.loads(line.decode().removeprefix("data: "))["as"] == "U01ALICE"


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/page/style.css"])
async def test_the_page_may_run_and_load_nothing_from_elsewhere(slack: LocalSlack, path: str) -> None:
    async with aiohttp.ClientSession(slack.url) as session, session.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert policy.startswith("default-src 'self'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


async def test_a_tab_that_closes_is_no_error(
    slack: LocalSlack, alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    async with aiohttp.ClientSession(slack.url) as session:
        async with session.get("/ui/stream", params={"as": "U01ALICE"}) as answer:
            await answer.content.readuntil(b"\n\n")
            answer.close()
        for number in range(3):  # the first write after the end may still go out
            await alice.say("C01OPS", f"hello {number}")
            async with session.get("/ui/stream", params={"as": "U01ALICE"}) as answer:
                await answer.content.readuntil(b"\n\n")
    await slack.stop()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
