"""`doctor`: looks at every setting and everything they lead to, and says what to do about what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import click
import sqlalchemy as sa
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import bootstrap
from bot.cli.manifest import build_manifest
from bot.cli.output import format_option, load_settings, print_json, sentences, wait_for, words
from bot.datadog.accounts import Accounts
from bot.datadog.client import Datadog
from bot.domain.errors import DatadogError, InvalidPolicy, InvalidSettings, NotRecorded
from bot.policy_file.compile import accounts_in, compile_policy
from bot.policy_file.reader import read_policy
from bot.settings import Settings, require_datadog, require_slack
from bot.slack.directory import UNREACHABLE
from bot.storage import migrate

MARKS = {"ok": "[green]ok[/]   ", "warn": "[yellow]look[/] ", "fail": "[red]fail[/] "}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: `state` is ok, warn or fail; `advice` says what to do."""

    check: str
    state: str
    advice: str


Findings = AsyncIterator[Finding]


@click.command()
@format_option
@sentences
def doctor(form: str) -> None:
    """Check settings, Slack, Datadog, database, policy and catalogue. Exits with 1 when something has to be mended."""
    settings = load_settings()
    if wait_for(_examine(settings, form)):
        raise SystemExit(1)


async def _examine(settings: Settings, form: str) -> bool:
    failed = False
    for check in (_settings, _database, _slack, _datadog, _policy):
        async for finding in check(settings):
            failed = failed or finding.state == "fail"
            if form == "json":
                print_json({"check": finding.check, "state": finding.state, "advice": finding.advice})
            else:
                words.print(f"{MARKS[finding.state]}{finding.check}: {finding.advice.replace('[', chr(92) + '[')}")
    return failed


async def _settings(settings: Settings) -> Findings:
    for name, require in (("Slack settings", require_slack), ("Datadog settings", require_datadog)):
        try:
            require(settings)
        except InvalidSettings as error:
            for line in str(error).split("\n"):
                yield Finding(name, "fail", line)
        else:
            yield Finding(name, "ok", "complete")
    if not settings.admins:
        yield Finding("ADMINS", "warn", "nobody is named, so refusals can't say whom to ask. Set Slack user ids.")
    if not settings.audit_channel:
        yield Finding("AUDIT_CHANNEL", "warn", "not set, so the trail has no witness outside the database.")
    if not settings.encryption_key.get_secret_value():
        advice = "not set: secret inputs are sealed with a key made from a Slack secret, and lost when that is rotated."
        yield Finding("ENCRYPTION_KEY", "warn", advice)


async def _database(settings: Settings) -> Findings:
    try:
        current, newest = await asyncio.to_thread(migrate.revisions, settings.database_url.get_secret_value())
    except (sa.exc.SQLAlchemyError, OSError) as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        yield Finding("Database", "fail", f"can't be opened: {cause}. Check DATABASE_URL and that the server runs.")
        return
    if current != newest:
        advice = f"is at revision {current}, this version needs {newest}. Run: workflow-bot db upgrade"
        yield Finding("Database", "fail", advice)
        return
    async with bootstrap.open_store(settings) as store:
        try:
            version = await store.read(lambda tx: tx.policy_version())
            yield Finding("Database", "ok", f"readable, at revision {current}")
        except NotRecorded as error:
            yield Finding("Database", "fail", str(error))
            return
    state, advice = ("ok", f"version {version} is in force") if version else ("fail", "none: workflow-bot policy apply")
    yield Finding("Applied policy", state, advice)


async def _slack(settings: Settings) -> Findings:
    if not settings.slack_bot_token.get_secret_value():
        return
    async with aiohttp.ClientSession() as session:
        client = bootstrap.build_client(settings, session)
        try:
            answer = await client.auth_test()
        except SlackApiError as error:
            reason = error.response.get("error")
            advice = f"Slack refuses it ({reason}). Copy it again from the app's page: OAuth & Permissions."
            yield Finding("SLACK_BOT_TOKEN", "fail", advice)
            return
        except UNREACHABLE as error:
            advice = f"Slack can't be reached ({type(error).__name__}). Check the network and SLACK_API_URL."
            yield Finding("Slack", "fail", advice)
            return
        yield Finding("SLACK_BOT_TOKEN", "ok", f"workspace {answer.get('team')}, bot {answer.get('user')}")
        yield _scopes(answer.headers)
        if settings.audit_channel:
            yield await _audit_channel(client, settings.audit_channel)
        if settings.socket_mode:
            yield await _socket(client, settings.slack_app_token.get_secret_value())


def _scopes(headers: Any) -> Finding:
    granted = {
        scope.strip() for key, value in headers.items() if key.lower() == "x-oauth-scopes" for scope in value.split(",")
    }
    wanted = build_manifest("/workflow", None)["oauth_config"]["scopes"]["bot"]
    missing = sorted(set(wanted) - granted)
    if missing:
        advice = f"missing: {', '.join(missing)}. Add them at OAuth & Permissions and install the app again."
        return Finding("Slack scopes", "fail", advice)
    return Finding("Slack scopes", "ok", f"all {len(wanted)} are granted")


async def _audit_channel(client: AsyncWebClient, channel_id: str) -> Finding:
    try:
        channel = (await client.conversations_info(channel=channel_id))["channel"]
    except (SlackApiError, *UNREACHABLE) as error:
        reason = error.response.get("error") if isinstance(error, SlackApiError) else type(error).__name__
        return Finding(
            "AUDIT_CHANNEL", "fail", f"can't be seen ({reason}). Check the id, and invite the bot to the channel."
        )
    if channel.get("is_ext_shared"):
        return Finding("AUDIT_CHANNEL", "fail", "is shared with another company. Choose a channel of your own.")
    if not channel.get("is_member"):
        return Finding("AUDIT_CHANNEL", "warn", "the bot is not in it. Invite it: /invite @workflow-bot")
    return Finding("AUDIT_CHANNEL", "ok", f"#{channel.get('name')}")


async def _socket(client: AsyncWebClient, token: str) -> Finding:
    try:
        await client.apps_connections_open(app_token=token)
    except (SlackApiError, *UNREACHABLE) as error:
        reason = error.response.get("error") if isinstance(error, SlackApiError) else type(error).__name__
        advice = (
            f"Slack refuses it ({reason}). Make one at Basic Information, App-Level Tokens, with connections:write."
        )
        return Finding("SLACK_APP_TOKEN", "fail", advice)
    return Finding("SLACK_APP_TOKEN", "ok", "Socket Mode can be opened")


async def _datadog(settings: Settings) -> Findings:
    try:
        require_datadog(settings)
        async with bootstrap.open_datadog(settings) as accounts:
            client = accounts.own()
            yield Finding("DD_SITE", "warn" if client.site.warning else "ok", client.site.warning or client.site.name)
            async for finding in _keys(client):
                yield finding
            async for finding in _catalogue(settings, accounts):
                yield finding
    except InvalidSettings as error:
        yield Finding("Datadog", "fail", str(error))


async def _keys(client: Datadog) -> Findings:
    try:
        check = await client.validate_keys()
    except DatadogError as error:
        yield Finding("Datadog keys", "fail", str(error))
        return
    if check is None:
        yield Finding("DD_ACCESS_TOKEN", "ok", "set; Datadog has no call that only checks it")
    elif not check.api_key:
        yield Finding(
            "DD_API_KEY", "fail", f"not valid on {client.site.name}. Check the key, and that DD_SITE is its site."
        )
    elif not check.pair:
        yield Finding(
            "DD_APP_KEY", "fail", "not valid together with the API key. Check both come from one organisation."
        )
    else:
        yield Finding("Datadog keys", "ok", "the pair is valid")


async def _catalogue(settings: Settings, accounts: Accounts) -> Findings:
    try:
        source = read_policy(settings.policy_file)
    except InvalidPolicy:
        return  # told by the next check
    clients = {}
    for account in accounts_in(source):
        try:
            clients[account.name] = accounts.open(account)
        except InvalidSettings as error:
            yield Finding(f"Account {account.name}", "fail", str(error))
            continue
        async for finding in _keys(clients[account.name]):
            yield Finding(f"Account {account.name}", finding.state, finding.advice)
    for name, fields in source.fields.workflows.items():
        client = clients.get(fields.account) if fields.account else accounts.own()
        if client is not None:
            yield await _workflow(name, fields.id, client)


async def _workflow(name: str, datadog_id: str, client: Datadog) -> Finding:
    try:
        definition = await client.get_workflow(datadog_id)
    except DatadogError as error:
        return Finding(f"Workflow {name}", "fail", str(error))
    if not definition.published:
        return Finding(f"Workflow {name}", "fail", "is not published in Datadog. Publish it there.")
    if not definition.has_api_trigger:
        return Finding(f"Workflow {name}", "fail", "has no API trigger in Datadog. Add one there and publish.")
    return Finding(f"Workflow {name}", "ok", f"“{definition.name}” can be run by API")


async def _policy(settings: Settings) -> Findings:
    try:
        source = read_policy(settings.policy_file)
        compile_policy(source, None)
    except InvalidPolicy as error:
        for line in str(error).split("\n"):
            yield Finding("Policy file", "fail", line)
    else:
        yield Finding("Policy file", "ok", f"{source.name} is valid")
