"""docs/install.md, walked: before each of its steps the step's check has something to say, and after it nothing."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.cli.doctor.findings import Area
from bot.sandbox import demo
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from tests.acceptance.scene import until
from tests.integration.command_line import ROOT, Ended, command, start

MOST_STEPS = 8
PAGE = (ROOT / "docs/install.md").read_text("utf-8")
STEPS = re.findall(r"^## (\d+)\. (.*?)$(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
CHECKS = {
    title: re.findall(r"^\*\*Check:\*\* `workflow-bot doctor([a-z ]*)`", text, re.MULTILINE) for _, title, text in STEPS
}


def test_there_are_at_most_eight_steps_and_each_names_its_one_check() -> None:
    assert [int(number) for number, _, _ in STEPS] == list(range(1, len(STEPS) + 1))
    assert 0 < len(STEPS) <= MOST_STEPS
    assert [title for title, checks in CHECKS.items() if len(checks) != 1] == []
    asked = [area for (check,) in CHECKS.values() for area in check.split()]
    assert set(asked) == set(Area)  # and together they ask about everything
    assert [title for _, title, _ in STEPS] == list(WALK)


@dataclass
class Stranger:
    """Somebody with a workspace, a Datadog organisation and this page."""

    slack: LocalSlack
    datadog: LocalDatadog
    folder: Path
    policy: str
    database_url: str
    environment: dict[str, str] = field(default_factory=dict)
    bot: asyncio.subprocess.Process | None = None

    async def type(self, *words: str) -> Ended:
        return await command(self.folder, *words, **self.environment)

    async def check(self, title: str) -> list[str]:
        """What the step's check has to say besides `ok`."""
        ended = await self.type("doctor", *CHECKS[title][0].split(), "--format", "json")
        return [f"{row['check']}: {row['found']}" for row in ended.rows if row["state"] != "ok"]


async def get_the_bot(they: Stranger) -> None:
    they.environment["DATABASE_URL"] = they.database_url
    assert (await they.type("db", "upgrade")).code == 0


async def make_the_app(they: Stranger) -> None:
    assert (await they.type("manifest", "--url", "https://bot.example.com")).code == 0
    they.environment |= {"SLACK_BOT_TOKEN": they.slack.bot_token, "SLACK_SIGNING_SECRET": they.slack.signing_secret}


async def make_the_keys(they: Stranger) -> None:
    they.environment |= {"DD_API_KEY": they.datadog.api_key, "DD_APP_KEY": they.datadog.app_key}


async def name_people_and_channel(they: Stranger) -> None:
    they.slack.workspace.channels[demo.AUDIT].bot_is_member = True
    they.environment |= {"AUDIT_CHANNEL": demo.AUDIT, "ADMINS": demo.ALICE}
    they.environment |= {"ENCRYPTION_KEY": secrets.token_urlsafe(), "AUDIT_KEY": secrets.token_urlsafe()}


async def write_the_policy(they: Stranger) -> None:
    (they.folder / "workflows.yml").write_text(they.policy)
    they.slack.workspace.channels[demo.OPS].bot_is_member = True
    for words in ("test", "plan", "apply"):
        assert (await they.type("policy", words)).code == 0


async def serve(they: Stranger) -> None:
    they.bot = await start(they.folder, "serve", **they.environment)
    assert they.bot.stderr is not None
    said = ""
    async with asyncio.timeout(60):
        while not (ready := re.search(r"listening to Slack on (http\S+);", said)):
            line = await they.bot.stderr.readline()
            assert line, said
            said += line.decode()
    they.slack.bot_url = ready[1]

    async def it_has_said_so() -> bool:
        return not await they.check("Serve")

    await until(it_has_said_so, timeout=30)


async def run_something(they: Stranger) -> None:
    bob = they.slack.person(demo.BOB)
    await bob.command(demo.GENERAL, "/workflow run collect-diagnostics")
    await bob.wait_for_message(demo.GENERAL, lambda message: "succeeded" in str(message).lower(), timeout=30)
    assert len(they.datadog.executions) == 1
    (run,) = (await they.type("runs", "list", "--format", "json")).rows
    assert run["state"] == "succeeded"

    async def slack_was_heard() -> bool:  # the bot says so every 15 s
        rows = (await they.type("doctor", "slack", "--format", "json")).rows
        return any("Slack's last request was taken" in row["found"] for row in rows)

    await until(slack_was_heard, timeout=40)


WALK: dict[str, Callable[[Stranger], Awaitable[None]]] = {
    "The bot and its database": get_the_bot,
    "The Slack app": make_the_app,
    "Datadog": make_the_keys,
    "People, the audit channel and the keys": name_people_and_channel,
    "The policy": write_the_policy,
    "Serve": serve,
    "The first run": run_something,
}


@pytest.fixture
async def stranger(empty_database_url: str, tmp_path: Path) -> AsyncIterator[Stranger]:
    async with LocalSlack(signing_secret=secrets.token_hex(16)) as slack, LocalDatadog() as datadog:
        demo.furnish_slack(slack)
        they = Stranger(slack, datadog, tmp_path, demo.furnish_datadog(datadog), empty_database_url)
        for workflow in datadog._workflows.values():
            workflow.step_seconds = 0.1
        they.environment |= {"SLACK_API_URL": slack.api_url, "DD_API_URL": datadog.url, "PORT": "0"}
        yield they
        if they.bot is not None:
            they.bot.terminate()
            await asyncio.wait_for(they.bot.communicate(), 60)
            assert they.bot.returncode == 0
        assert slack.violations == []


@pytest.mark.slow
async def test_the_page_leads_a_stranger_to_a_first_run(stranger: Stranger) -> None:
    for title, do in WALK.items():
        if title != "The first run":  # everything is in order before it
            assert await stranger.check(title), title
        await do(stranger)
        # A role of its own for the bot on Postgres is a step for later: docs/security.md.
        assert [found for found in await stranger.check(title) if not found.startswith("Database role")] == [], title
