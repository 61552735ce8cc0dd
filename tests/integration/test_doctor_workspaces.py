"""What `doctor` finds wrong where many workspaces are served: each fault is made, and named."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.cli.manifest import build_manifest
from bot.connections import open_store
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlackApp
from tests.acceptance.many import ACME, ALICE, BETA, Many, furnish, open_many
from tests.integration.command_line import command

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
IN_ORDER = {
    "PUBLIC_URL": "https://bot.example.com",
    "WORKSPACES": f"{ACME} {BETA}",
    "ENCRYPTION_KEY": "a-key",
    "ADMINS": f"{ACME}/{ALICE}",
}


@pytest.fixture
async def many(database_url: str) -> AsyncIterator[Many]:
    async with LocalSlackApp() as app, LocalDatadog() as datadog:
        for workspace_id, name in ((ACME, "Acme"), (BETA, "Beta")):
            furnish(app.add_workspace(workspace_id, name))
        async with open_many(app, datadog, database_url, replicas=1, environment={"ENCRYPTION_KEY": "a-key"}) as many:
            assert (await many.install(ACME))[0] == 200
            yield many


async def findings(many: Many, folder: Path, *arguments: str, **environment: str) -> list[dict[str, Any]]:
    given = many.as_in("") | IN_ORDER | environment
    ended = await command(
        folder, "doctor", "--format", "json", *arguments, **{name: value for name, value in given.items() if value}
    )
    assert "Traceback" not in ended.words, ended.words
    assert ended.code == any(row["state"] == "fail" for row in ended.rows), ended
    for secret in (many.app.client_secret, many.app.signing_secret, *many.acme.api.bot_tokens):
        assert secret not in ended.output
    return ended.rows


async def found(many: Many, folder: Path, check: str, state: str, *arguments: str, **environment: str) -> str:
    rows = await findings(many, folder, *arguments, **environment)
    words = [f"{row['found']} {row['advice']}" for row in rows if (row["check"], row["state"]) == (check, state)]
    assert words, [row for row in rows if row["state"] != "ok"]
    return "\n".join(words)


async def test_the_only_workspace_is_looked_at_and_the_main_database_beside_it(many: Many, tmp_path: Path) -> None:
    rows = await findings(many, tmp_path, "settings", "database", "slack")
    states = {row["check"]: row["state"] for row in rows}
    assert (
        states["Schema"] == states["Schema main"] == states[f"Installation {ACME}"] == states[f"Scopes {ACME}"] == "ok"
    )
    assert [row for row in rows if row["state"] == "fail"] == []


async def test_with_several_each_ones_token_and_database_is_looked_at(many: Many, tmp_path: Path) -> None:
    assert (await many.install(BETA))[0] == 200
    rows = await findings(many, tmp_path, "database", "slack")
    states = {row["check"]: row["state"] for row in rows}
    for name in (f"Installation {ACME}", f"Installation {BETA}", f"Schema {ACME}", f"Schema {BETA}", "Schema"):
        assert states[name] == "ok", name
    for name in ("SLACK_CLIENT_SECRET", "Clock", f"Scopes {ACME}", f"Scopes {BETA}"):
        assert states[name] == "ok", name
    assert [row["check"] for row in rows].count("Clock") == 1


async def test_with_several_each_ones_policy_is_told_and_a_healthy_bot_has_nothing_to_mend(
    many: Many, tmp_path: Path
) -> None:
    assert (await many.install(BETA))[0] == 200
    await many.apply(ACME, {}, [])
    rows = [row for row in await findings(many, tmp_path, "policy") if row["check"].startswith("Policy in force")]
    assert [(row["check"], row["state"]) for row in rows] == [
        (f"Policy in force {ACME}", "ok"),
        (f"Policy in force {BETA}", "fail"),
    ]
    assert f"workflow-bot --workspace {BETA} policy apply" in rows[1]["advice"]
    await many.apply(BETA, {}, [])
    assert [row for row in await findings(many, tmp_path) if row["state"] == "fail"] == []


@ONE_DATABASE
async def test_with_several_what_they_share_is_looked_at_once(many: Many, tmp_path: Path) -> None:
    assert (await many.install(BETA))[0] == 200
    assert "isn't the secret of the app" in await found(
        many, tmp_path, "SLACK_CLIENT_SECRET", "fail", "slack", SLACK_CLIENT_SECRET="wrong"
    )
    assert "knows no app with the id" in await found(
        many, tmp_path, "SLACK_CLIENT_SECRET", "fail", "slack", SLACK_CLIENT_ID="1.2"
    )
    assert "it is a token" in await found(
        many, tmp_path, "SLACK_SIGNING_SECRET", "fail", "slack", SLACK_SIGNING_SECRET="xoxb-1"
    )
    assert "refuses it (invalid_auth)" in await found(
        many, tmp_path, "SLACK_APP_TOKEN", "fail", "slack", SLACK_APP_TOKEN="xapp-wrong"
    )
    assert "Socket Mode can be opened" in await found(
        many, tmp_path, "SLACK_APP_TOKEN", "ok", "slack", SLACK_APP_TOKEN=many.app.app_token
    )


@ONE_DATABASE
async def test_scopes_that_one_workspace_did_not_give_are_named_with_it(many: Many, tmp_path: Path) -> None:
    assert (await many.install(BETA))[0] == 200
    many.beta.scopes.discard("files:write")
    words = await found(many, tmp_path, f"Scopes {BETA}", "fail", "slack")
    assert "missing: files:write." in words
    assert "/slack/install" in words
    await found(many, tmp_path, f"Scopes {ACME}", "ok", "slack")


@ONE_DATABASE
@pytest.mark.parametrize(
    ("check", "state", "environment", "words"),
    [
        ("Settings", "fail", {"SLACK_CLIENT_SECRET": ""}, "SLACK_CLIENT_SECRET is missing"),
        ("Settings", "fail", {"SLACK_CLIENT_ID": "abc"}, "SLACK_CLIENT_ID"),
        ("WORKSPACES", "look", {"WORKSPACES": ""}, "may install the bot"),
        ("PUBLIC_URL", "look", {"PUBLIC_URL": ""}, "first redirect URL"),
        ("PUBLIC_URL", "fail", {"PUBLIC_URL": "http://127.0.0.1:3000"}, "https only"),
        ("ADMINS", "fail", {"ADMINS": f"{ALICE} {ACME}/U02BOB"}, f"{ALICE}: nobody's"),
        ("AUDIT_CHANNEL", "fail", {"AUDIT_CHANNEL": "C03AUDIT"}, "C03AUDIT: nobody's"),
        ("ADMINS", "look", {"ADMINS": f"{ACME}/alice"}, "T01ACME/alice: not the form of a person's id"),
        ("SLACK_BOT_TOKEN", "look", {"SLACK_BOT_TOKEN": "xoxb-1"}, "is set and not used"),
        ("ENCRYPTION_KEY", "look", {"ENCRYPTION_KEY": ""}, "secret inputs and tokens are sealed"),
        (f"Installation {ACME}", "fail", {"ENCRYPTION_KEY": "another"}, "can't be read: ENCRYPTION_KEY"),
    ],
)
async def test_a_setting_that_is_wrong_is_named(
    many: Many, tmp_path: Path, check: str, state: str, environment: dict[str, str], words: str
) -> None:
    assert words in await found(many, tmp_path, check, state, "settings", "slack", **environment)


@ONE_DATABASE
@pytest.mark.parametrize("refusal", ["account_inactive", "token_revoked", "token_expired", "invalid_auth"])
async def test_a_token_that_slack_refuses_is_named_with_what_to_do(many: Many, tmp_path: Path, refusal: str) -> None:
    many.acme.api.bot_tokens.update(dict.fromkeys(many.acme.api.bot_tokens, refusal))
    words = await found(many, tmp_path, f"Installation {ACME}", "fail", "slack")
    assert f"({refusal})" in words
    assert "/slack/install" in words
    many.acme.workspace.violations.clear()


@ONE_DATABASE
async def test_a_token_about_to_end_trouble_and_a_removed_one_are_named(many: Many, tmp_path: Path) -> None:
    store = many.replicas[0].bot.store
    known = await many.installation(ACME)
    soon = await store.read(lambda tx: tx.now)
    await store.write(lambda tx: tx.put_installation(replace(known, expires_at=soon, trouble="Slack refuses (no)")))
    assert "is not exchanged. Slack refuses (no)" in await found(
        many, tmp_path, f"Installation {ACME}", "fail", "slack"
    )
    await store.write(lambda tx: tx.put_installation(replace(known, trouble="it can't be served: no schema")))
    assert "no schema" in await found(many, tmp_path, f"Installation {ACME}", "fail", "slack")
    await store.write(lambda tx: tx.remove_installation(ACME, "uninstalled in Slack"))
    named = await found(many, tmp_path, f"Installation {ACME}", "look", "slack", WORKSPACE=ACME)
    assert "uninstalled in Slack" in named
    assert "nobody has installed" in await found(many, tmp_path, "Installation", "look", "slack")


async def test_a_workspace_without_a_database_is_named(database_url: str, tmp_path: Path) -> None:
    async with LocalSlackApp() as app, LocalDatadog() as datadog:
        furnish(app.add_workspace(ACME, "Acme"))
        async with open_many(app, datadog, database_url, replicas=1, environment={"ENCRYPTION_KEY": "a-key"}) as many:
            assert (await many.install(ACME))[0] == 200
            known = await many.installation(ACME)
        async with open_store(many.settings) as store:
            await store.write(lambda tx: tx.put_installation(replace(known, id="T77NONE", team_id="T77NONE")))
        words = await found(many, tmp_path, "Schema T77NONE", "fail", "database")
    assert "there is no database for it yet" in words
    assert "workflow-bot db upgrade" in words


@ONE_DATABASE
async def test_a_manifest_without_the_redirect_address_or_the_events_is_named(many: Many, tmp_path: Path) -> None:
    path = tmp_path / "app.json"
    path.write_text(json.dumps(build_manifest("/workflow", "https://bot.example.com")))
    words = await found(many, tmp_path, "App manifest", "fail", "slack", "--manifest", str(path))
    assert "lacks https://bot.example.com/slack/oauth_redirect" in words
    assert "app_uninstalled, tokens_revoked" in words
    path.write_text(
        json.dumps(build_manifest("/workflow", "https://bot.example.com", redirect="https://bot.example.com"))
    )
    await found(many, tmp_path, "App manifest", "ok", "slack", "--manifest", str(path))


async def test_a_named_workspace_without_a_database_is_told_as_it_is_beside_the_others(
    many: Many, database_url: str, tmp_path: Path
) -> None:
    async with open_store(many.settings) as store:
        known = await many.installation(ACME)
        await store.write(lambda tx: tx.put_installation(replace(known, id="T77NONE", team_id="T77NONE")))
    check = "Schema" if database_url.startswith("postgresql") else "Connection"
    words = await found(many, tmp_path, check, "fail", "database", WORKSPACE="T77NONE")
    assert "Run, as the owner of the database: workflow-bot db upgrade" in words
    assert "is empty" not in words


@ONE_DATABASE
async def test_the_key_that_came_before_encryption_key_is_the_client_secret(many: Many, tmp_path: Path) -> None:
    assert (await many.install(BETA))[0] == 200  # so that the main database is looked at, where the tokens are
    words = await found(many, tmp_path, "ENCRYPTION_KEY", "fail", "database", ENCRYPTION_KEY="other")
    assert "or, where there was none, the client secret" in words


@ONE_DATABASE
async def test_the_port_is_in_order_where_the_bot_answers_there(many: Many, tmp_path: Path) -> None:
    port = many.replicas[0].url.rsplit(":", 1)[1]
    assert "where a bot of this machine serves" in await found(many, tmp_path, "PORT", "ok", "serving", PORT=port)


@ONE_DATABASE
async def test_a_plain_id_is_named_once_and_a_policy_file_is_not_asked_for(many: Many, tmp_path: Path) -> None:
    rows = await findings(many, tmp_path, "settings", "policy", ADMINS="alice")
    assert [row["state"] for row in rows if row["check"] == "ADMINS"] == ["fail"]
    assert [row["state"] for row in rows if row["check"] == "Policy file"] == ["look"]


@ONE_DATABASE
async def test_nobody_is_said_to_be_missing_while_the_main_database_can_not_be_read(many: Many, tmp_path: Path) -> None:
    url = "postgresql://bot@127.0.0.1:1/bot"
    words = await found(many, tmp_path, "Installation", "look", "slack", DATABASE_URL=url)
    assert "can't be told, as the database can't be read" in words
    assert "nobody has installed" not in words
