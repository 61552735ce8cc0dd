"""An installation in which everything is in order, for tests to spoil, and what `doctor` says about it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.sandbox import demo
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from tests.integration.command_line import Ended, command, furnish

SECRET = "0123456789abcdef0123456789abcdef"  # has the form of Slack's


@dataclass
class Installation:
    """Both stand-ins, the settings, and the folder with the policy file."""

    slack: LocalSlack
    datadog: LocalDatadog
    environment: dict[str, str]
    folder: Path

    async def run(self, *arguments: str) -> Ended:
        return await command(self.folder, *arguments, **self.environment)

    async def doctor(self, *arguments: str) -> list[dict[str, Any]]:
        """What doctor finds. Fails where it stumbles, where it shows a secret, or where its exit code tells another tale."""
        ended = await self.run("doctor", "--format", "json", *arguments)
        rows = ended.rows
        assert "Traceback" not in ended.words, ended.words
        assert rows, ended.words
        assert ended.code == any(row["state"] == "fail" for row in rows), ended
        for row in rows:
            assert set(row) == {"area", "check", "state", "found", "advice"}
            assert row["state"] == "ok" or row["advice"], row  # whatever is wrong says what to do
        for secret in (self.datadog.api_key, self.datadog.app_key, SECRET, self.slack.bot_token, self.slack.app_token):
            assert secret not in ended.output + ended.words
        return rows

    async def states(self, *arguments: str) -> set[str]:
        return {row["state"] for row in await self.doctor(*arguments)}

    async def finding(self, check: str, *arguments: str, state: str = "fail") -> str:
        """The words of the finding on `check` that is in this state; fails where there is none."""
        rows = await self.doctor(*arguments)
        found = [row for row in rows if (row["check"], row["state"]) == (check, state)]
        assert found, [row for row in rows if row["state"] != "ok"]
        return "\n".join(f"{row['found']} {row['advice']}" for row in found)


@contextlib.asynccontextmanager
async def in_order(database_url: str, folder: Path, **changes: str) -> AsyncIterator[Installation]:
    """The demo's company, with a policy in force, everything set but for `changes`, and nothing serving yet."""
    async with LocalSlack(signing_secret=SECRET) as slack, LocalDatadog() as datadog:
        around = furnish(slack, datadog, database_url)
        (folder / "workflows.yml").write_text(around.policy)
        for channel in (demo.AUDIT, demo.OPS):
            slack.workspace.channels[channel].bot_is_member = True
        environment = around.environment | {"AUDIT_KEY": "an audit key of the tests"} | changes
        installation = Installation(slack, datadog, environment, folder)
        applied = await installation.run("policy", "apply")
        assert applied.code == 0, applied.words
        yield installation
