from __future__ import annotations

import asyncio
import re
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from tests.integration.command_line import Surroundings, command, furnish, start


@pytest.fixture
async def around(empty_database_url: str) -> AsyncIterator[Surroundings]:
    async with LocalSlack() as slack, LocalDatadog() as datadog:
        yield furnish(slack, datadog, empty_database_url)


async def test_the_bot_starts_answers_and_stops_cleanly(around: Surroundings, tmp_path: Path) -> None:
    process = await start(tmp_path, "serve", **around.environment)
    assert process.stderr is not None
    lines: list[str] = []
    try:
        while not (ready := re.search(r"health on (http\S+)/healthz", lines[-1] if lines else "")):
            line = await asyncio.wait_for(process.stderr.readline(), 60)
            assert line, lines
            lines.append(line.decode())
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{ready[1]}/healthz") as answer:
                assert (answer.status, await answer.json()) == (200, {"status": "ok"})
            async with session.get(f"{ready[1]}/readyz") as answer:
                assert (answer.status, (await answer.json())["status"]) == (200, "ready")
            async with session.post(f"{ready[1]}/slack/events", data="command=/workflow") as answer:
                assert answer.status == 401
        process.send_signal(signal.SIGTERM)
        _, rest = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, rest.decode()
    words = "".join(lines) + rest.decode()
    assert "stopped" in words
    assert "Traceback" not in words
    assert "slack_bolt" not in words  # what it makes of our environment is not so
    for secret in (around.slack.signing_secret, around.slack.bot_token, around.datadog.api_key, around.datadog.app_key):
        assert secret not in words


@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
async def test_a_slack_that_is_away_at_the_start_is_told_when_it_is_back(around: Surroundings, tmp_path: Path) -> None:
    around.slack.faults.fail("auth.test", status=503, times=2)
    process = await start(tmp_path, "serve", **around.environment)
    assert process.stderr is not None
    said = ""
    try:
        while "Slack answers: workspace" not in said:
            line = await asyncio.wait_for(process.stderr.readline(), 60)
            assert line, said
            said += line.decode()
    finally:
        process.terminate()
        await process.communicate()
    away, listening, back = (said.index(words) for words in ("Slack does not answer", "listening to", "Slack answers"))
    assert away < listening < back


@pytest.mark.parametrize("wrong", ["SLACK_SIGNING_SECRET", "DD_APP_KEY", "SLACK_BOT_TOKEN"])
async def test_the_bot_does_not_start_without_what_it_needs(wrong: str, tmp_path: Path) -> None:
    whole = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s", "DD_API_KEY": "a", "DD_APP_KEY": "b"}
    ended = await command(tmp_path, "serve", **{**whole, wrong: ""})
    assert ended.code == 1
    assert wrong in ended.words
    assert "Traceback" not in ended.words


async def test_the_bot_does_not_start_for_a_site_without_workflows(around: Surroundings, tmp_path: Path) -> None:
    process = await start(tmp_path, "serve", **{**around.environment, "DD_SITE": "ddog-gov.com"})
    _, words = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert b"doesn't support Workflow Automation" in words
    assert b"Traceback" not in words


@pytest.mark.parametrize("key", ["zzz", "audit-signing-key", "AAAA"])
async def test_the_bot_does_not_start_with_a_signing_key_that_is_none_also_without_a_witness(
    key: str, tmp_path: Path
) -> None:
    whole = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s", "DD_API_KEY": "a", "DD_APP_KEY": "b"}
    ended = await command(tmp_path, "serve", **whole, AUDIT_SIGNING_KEY=key, DD_SITE="ddog-gov.com")
    assert (ended.code, "AUDIT_SIGNING_KEY is no Ed25519 key" in ended.words) == (1, True), ended.words
    assert (key in ended.words, "Traceback" in ended.words) == (False, False)


@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
async def test_the_bot_does_not_start_where_its_audit_key_is_not_that_of_the_trail(
    around: Surroundings, tmp_path: Path
) -> None:
    await command(tmp_path, "db", "upgrade", **around.environment)
    verified = await command(tmp_path, "audit", "verify", **around.environment)  # which is recorded
    assert verified.code == 0, verified.words
    stand_ins = ("SLACK_API_URL", "DD_API_URL")  # they are overrides, which would be to be recorded at the start
    plain = {name: value for name, value in around.environment.items() if name not in stand_ins}
    process = await start(tmp_path, "serve", **plain | {"AUDIT_KEY": "wrong"})
    _, told = await asyncio.wait_for(process.communicate(), 60)
    last = told.decode().splitlines()[-1]
    assert (process.returncode, last.startswith("AUDIT_KEY doesn't hold the key")) == (1, True), told


@pytest.mark.parametrize(
    ("setting", "host", "words"),
    [
        ("PORT", "127.0.0.1", "is taken on 127.0.0.1: stop what listens there, or choose another."),
        ("METRICS_PORT", "127.0.0.1", "is taken on 127.0.0.1: stop what listens there, or choose another."),
        ("PORT", "192.0.2.1", "Check HOST."),  # RFC 5737: nobody's
    ],
)
@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
async def test_a_port_that_can_not_be_opened_is_a_sentence(
    around: Surroundings, tmp_path: Path, setting: str, host: str, words: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = await start(tmp_path, "serve", **around.environment | {"HOST": host, setting: port})
        _, told = await asyncio.wait_for(process.communicate(), 60)
    last = told.decode().splitlines()[-1]
    assert (process.returncode, last.startswith(f"{setting} {port} "), last.endswith(words)) == (1, True, True), told
