from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.sandbox import demo
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from tests.integration.command_line import Surroundings, command, furnish


@pytest.fixture
async def around(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with LocalSlack() as slack, LocalDatadog() as datadog:
        found = furnish(slack, datadog, sqlite_url)
        (tmp_path / "workflows.yml").write_text(found.policy)
        yield found


async def findings(folder: Path, around: Surroundings) -> tuple[int, dict[str, tuple[str, str]]]:
    ended = await command(folder, "doctor", "--format", "json", **around.environment)
    assert "Traceback" not in ended.words
    return ended.code, {row["check"]: (row["state"], row["advice"]) for row in ended.rows}


async def test_with_everything_in_order_there_is_nothing_to_mend(around: Surroundings, tmp_path: Path) -> None:
    assert (await command(tmp_path, "policy", "apply", **around.environment)).code == 0
    around.slack.workspace.channels[demo.AUDIT].bot_is_member = True
    code, found = await findings(tmp_path, around)
    assert code == 0, [each for each in found.items() if each[1][0] != "ok"]
    assert {state for state, _ in found.values()} == {"ok"}, found
    assert {"Database", "Applied policy", "Slack scopes", "AUDIT_CHANNEL", "Datadog keys", "Policy file"} <= set(found)
    assert "Workflow rotate-credentials" in found


Spoil = Callable[[Surroundings, Path], None]


def setting(name: str, value: str) -> Spoil:
    return lambda around, _: around.environment.update({name: value})


def _unpublish(around: Surroundings, _: Path) -> None:
    for workflow in around.datadog._workflows.values():
        workflow.published = False


def _break_policy(_: Surroundings, folder: Path) -> None:
    (folder / "workflows.yml").write_text("version: 2\n")


def _share(around: Surroundings, _: Path) -> None:
    around.slack.workspace.channels[demo.AUDIT].is_ext_shared = True


@pytest.mark.parametrize(
    ("spoil", "check", "advice"),
    [
        (setting("SLACK_BOT_TOKEN", "xoxb-wrong"), "SLACK_BOT_TOKEN", "Slack refuses it (invalid_auth)"),
        (setting("SLACK_BOT_TOKEN", ""), "Slack settings", "SLACK_BOT_TOKEN is missing"),
        (setting("SLACK_API_URL", "http://127.0.0.1:1/api/"), "Slack", "Slack can't be reached"),
        (setting("SLACK_APP_TOKEN", "xapp-wrong"), "SLACK_APP_TOKEN", "Slack refuses it"),
        (setting("AUDIT_CHANNEL", "C09NONE"), "AUDIT_CHANNEL", "can't be seen (channel_not_found)"),
        (_share, "AUDIT_CHANNEL", "is shared with another company"),
        (lambda a, _: a.slack.workspace.scopes.discard("chat:write"), "Slack scopes", "missing: chat:write"),
        (setting("DD_API_KEY", "wrong"), "DD_API_KEY", "not valid on"),
        (setting("DD_APP_KEY", "wrong"), "DD_APP_KEY", "not valid together with the API key"),
        (setting("DD_APP_KEY", ""), "Datadog settings", "Datadog's keys are missing"),
        (setting("DD_SITE", "ddog-gov.com"), "Datadog", "doesn't support Workflow Automation"),
        (setting("DD_API_URL", "http://127.0.0.1:1"), "Datadog keys", "Nothing was sent"),
        (_unpublish, "Workflow restart-service", "is not published in Datadog"),
        (_break_policy, "Policy file", "version: this version of the bot reads policy files of version 1"),
        (setting("DATABASE_URL", "sqlite:///new.db"), "Database", "Run: workflow-bot db upgrade"),
        (setting("DATABASE_URL", "postgresql://bot@127.0.0.1:1/bot"), "Database", "can't be opened"),
        (lambda _, __: None, "Applied policy", "none: workflow-bot policy apply"),
    ],
)
async def test_what_is_wrong_is_found_and_said_with_what_to_do(
    around: Surroundings, tmp_path: Path, spoil: Spoil, check: str, advice: str
) -> None:
    spoil(around, tmp_path)
    code, found = await findings(tmp_path, around)
    assert code == 1
    assert check in found, found
    state, words = found[check]
    assert state == "fail"
    assert advice in words
    assert not any(secret in str(found) for secret in (around.datadog.api_key, around.slack.signing_secret))
