"""Slack: the tokens and what they may do, the app behind them, the people and channels that settings and rules name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import connections
from bot.cli.doctor.app_credentials import check_credentials
from bot.cli.doctor.asking import REFUSALS, ask
from bot.cli.doctor.case import Case
from bot.cli.doctor.clock import compare_clock
from bot.cli.doctor.findings import Area, Check, Finding, Findings, Looking, Says
from bot.cli.doctor.scopes import check_scopes
from bot.cli.doctor.workspaces import check_installations
from bot.domain.errors import InvalidSettings
from bot.settings import require_slack
from bot.slack.directory import UNREACHABLE
from bot.slack.egress import open_session

says = Says(Area.SLACK)

LATELY = timedelta(hours=1)
REINSTALL = "Then install the app again."
NEW_TOKEN = "Copy it again from the app's page: OAuth & Permissions, Bot User OAuth Token."  # noqa: S105  # a sentence
APP_TOKEN = "Make one at Basic Information, App-Level Tokens, with the scope connections:write."  # noqa: S105  # a sentence


async def check_slack(case: Case) -> Findings:
    """Ask Slack. Nothing is posted, and nothing is changed."""
    token = case.settings.slack_bot_token.get_secret_value()
    if case.all.oauth:
        async for finding in _of_many(case):
            yield finding
        if not case.workspace or not token:
            return
    elif not token.startswith(("xoxb-", "xoxe.")):
        try:
            require_slack(case.settings)
        except InvalidSettings as error:
            yield says.wrong(Check.BOT_TOKEN, str(error).split("\n")[0].removeprefix("SLACK_BOT_TOKEN "), NEW_TOKEN)
        return
    async with open_session(case.settings.slack_api_url) as session:
        client = connections.build_client(case.settings, session)
        yield Looking("whether Slack takes the bot's token")
        answer, refusal = await ask(client.auth_test)
        if answer is not None:
            async for finding in _with_token(case, client, answer):
                yield finding
        elif not case.all.oauth:  # of an installation it is told already
            yield _refused_token(refusal)


async def _of_many(case: Case) -> Findings:
    """What many workspaces share, and each one's installation."""
    async with open_session(case.all.slack_api_url) as session:
        client = connections.build_client(case.all, session)
        client.token = None  # what is shared belongs to no workspace
        async for finding in check_credentials(case, client):
            yield finding
        async for finding in _shared(case, client, ""):
            yield finding
    async for finding in check_installations(case):
        yield finding


async def _shared(case: Case, client: AsyncWebClient, bot_id: str) -> Findings:
    """What belongs to the app rather than to a workspace of it."""
    yield await _app_token(case, client, bot_id) if case.settings.socket_mode else _signing_secret(case)
    command = _command(case)
    if command is not None:
        yield command


async def _with_token(case: Case, client: AsyncWebClient, me: Any) -> Findings:
    """What can be asked with a token that Slack takes."""
    if not case.all.oauth:
        yield says.ok(Check.BOT_TOKEN, f"workspace {me.get('team')}, bot {me.get('user')}")
        headers = {name.lower(): value for name, value in me.headers.items()}
        if clock := compare_clock(says, "Slack", headers.get("date", "")):
            yield clock
        yield check_scopes(headers, REINSTALL)
        async for finding in _shared(case, client, str(me.get("bot_id"))):
            yield finding
    for check in (_admins, _channels, _groups):
        async for finding in check(case, client):
            yield finding


def _refused_token(refusal: str) -> Finding:
    if refusal.startswith("no answer"):
        advice = "Check the network, the proxy, and SLACK_API_URL."
        return says.fail(Check.BOT_TOKEN, f"can't be checked, as Slack can't be reached ({refusal}).", advice)
    words = REFUSALS.get(refusal, "it doesn't say why")
    again = " Install the app again." if refusal in ("token_revoked", "account_inactive") else ""
    return says.fail(Check.BOT_TOKEN, f"Slack refuses it ({refusal}): {words}.", f"{again} {NEW_TOKEN}".strip())


async def _app_token(case: Case, client: AsyncWebClient, bot_id: str) -> Finding:
    token = case.settings.slack_app_token.get_secret_value()
    if not token.startswith("xapp-"):
        return says.fail(Check.APP_TOKEN, "isn't an app-level token (xapp-…).", APP_TOKEN)
    try:
        await client.apps_connections_open(app_token=token)
    except (SlackApiError, *UNREACHABLE) as error:
        reason = str(error.response.get("error")) if isinstance(error, SlackApiError) else type(error).__name__
        if reason == "ratelimited":
            return says.look(Check.APP_TOKEN, "Slack has been asked too often just now.", "Look again in a minute.")
        if reason == "missing_scope":
            return says.fail(Check.APP_TOKEN, "it has no scope connections:write.", APP_TOKEN)
        return says.fail(Check.APP_TOKEN, f"Slack refuses it ({reason}).", APP_TOKEN)
    if case.all.oauth:
        app = next((one.app_id for one in case.installations if one.is_installed), "")
    else:
        bot, _ = await ask(lambda: client.bots_info(bot=bot_id))
        app = str(bot["bot"].get("app_id") or "") if bot is not None else ""
    others = {one.app_id for one in case.replicas if one.is_alive(case.now())} - {"", app}
    if app and others:
        other = "SLACK_CLIENT_ID" if case.all.oauth else "SLACK_BOT_TOKEN"
        found = f"it belongs to the app {', '.join(sorted(others))}, and {other} to {app}."
        return says.fail(Check.APP_TOKEN, found, "Take both from the page of one app.")
    return says.ok(Check.APP_TOKEN, "Socket Mode can be opened")


def _signing_secret(case: Case) -> Finding:
    secret = case.settings.slack_signing_secret.get_secret_value()
    advice = "Copy it again from the app's page: Basic Information, App Credentials, Signing Secret."
    if not secret:
        return says.fail(Check.SIGNING_SECRET, "is missing.", f"{advice} Or set SLACK_APP_TOKEN to use Socket Mode.")
    if secret.startswith(("xox", "xapp-")) or len(secret.split()) != 1:
        return says.fail(Check.SIGNING_SECRET, "can't be one: it is a token, or has spaces in it.", advice)
    heard = max((one.heard_at for one in case.replicas if one.heard_at is not None), default=None)
    refused = [one for one in case.replicas if one.refused_at is not None and case.now() - one.refused_at < LATELY]
    latest = max((one.refused_at for one in refused if one.refused_at is not None), default=None)
    if latest is not None and (heard is None or heard < latest):
        count = sum(one.refused for one in refused)
        found = f"{count} signed request(s) were refused, the last at {latest:%H:%M} UTC, and none was taken since."
        return says.fail(
            Check.SIGNING_SECRET, found, f"It is another app's secret, unless the clock is wrong. {advice}"
        )
    if len(secret) != 32 or not set(secret) <= set("0123456789abcdef"):
        return says.look(Check.SIGNING_SECRET, "doesn't look like one: they are 32 digits from 0-9 and a-f.", advice)
    if heard is not None:
        return says.ok(Check.SIGNING_SECRET, f"Slack's last request was taken at {heard:%H:%M} UTC")
    return says.ok(Check.SIGNING_SECRET, "has the form of one; whether it is this app's shows at Slack's first request")


def _command(case: Case) -> Finding | None:
    typed = [(one.heard_at, one.command) for one in case.replicas if one.command and one.heard_at is not None]
    if not typed:
        return None
    command = max(typed)[1]
    if command != case.settings.slack_command:
        found = f"people type {command}, and the setting says {case.settings.slack_command}, which answers then name."
        return says.fail(Check.COMMAND, found, f"Set SLACK_COMMAND={command}, or change the command of the app.")
    return says.ok(Check.COMMAND, f"{command}, as people type it")


async def _admins(case: Case, client: AsyncWebClient) -> Findings:
    wrong = []
    for number, user_id in enumerate(case.settings.admins, 1):
        yield Looking(f"admin {number} of {len(case.settings.admins)}")
        answer, refusal = await ask(lambda user_id=user_id: client.users_info(user=user_id))  # type: ignore[misc]  # mypy can't type a lambda's default
        if refusal in ("user_not_found", "user_not_visible"):
            wrong.append(f"{user_id} (nobody has this id)")
        elif answer is None:
            yield says.look(Check.ADMINS, f"{user_id} can't be looked up ({refusal}).", "Look again in a minute.")
            return
        elif answer["user"].get("deleted"):
            wrong.append(f"{user_id} (deactivated)")
    if wrong:
        advice = "Take them out of ADMINS, or correct the id (in Slack: profile, More, Copy member ID)."
        yield says.fail(Check.ADMINS, f"names {', '.join(wrong)}.", advice)
    elif case.settings.admins:
        yield says.ok(Check.ADMINS, f"{len(case.settings.admins)}, all members of the workspace")


async def _channels(case: Case, client: AsyncWebClient) -> Findings:
    audit = case.settings.audit_channel
    named = [(audit, Check.AUDIT_CHANNEL)] if audit else []
    named += [(channel, Check.CHANNEL) for channel in case.channels if channel != audit]
    for number, (channel_id, check) in enumerate(named, 1):
        yield Looking(f"channel {number} of {len(named)}")
        answer, refusal = await ask(lambda channel_id=channel_id: client.conversations_info(channel=channel_id))  # type: ignore[misc]  # mypy can't type a lambda's default
        subject = channel_id if check is Check.CHANNEL else ""
        if answer is None:
            advice = "Check the id, and invite the bot: a private channel that it isn't in can't be seen."
            yield says.fail(check, f"can't be seen ({refusal}).", advice, subject)
        else:
            yield _channel(check, answer["channel"], subject)


def _channel(check: Check, channel: dict[str, Any], subject: str) -> Finding:
    name = f"#{channel.get('name')}"
    if channel.get("is_archived"):
        return says.fail(check, f"{name} is archived.", "Name another one, or bring it back.", subject)
    if channel.get("is_ext_shared"):
        found = f"{name} is shared with another company, whose people read what is posted there."
        if check is Check.AUDIT_CHANNEL:
            return says.fail(check, found, "Choose a channel of your own.", subject)
        return says.look(check, found, "Name another channel in the rules, unless that is meant.", subject)
    if not channel.get("is_member"):
        found = f"the bot is not in {name}: it can post there only as long as the channel is public."
        return says.look(check, found, f"In {name}: /invite @workflow-bot", subject)
    return says.ok(check, name, subject)


async def _groups(case: Case, client: AsyncWebClient) -> Findings:
    if not case.groups:
        return
    yield Looking("the user groups that rules name")
    answer, refusal = await ask(lambda: client.usergroups_list(include_disabled=True))
    if answer is None:
        advice = "Look again in a minute; for missing_scope add usergroups:read and install the app again."
        yield says.look(Check.USER_GROUPS, f"can't be listed ({refusal}).", advice)
        return
    there = {str(group["id"]): bool(group.get("date_delete")) for group in answer.get("usergroups") or []}
    gone = [group for group in case.groups if group not in there]
    disabled = [group for group in case.groups if there.get(group)]
    if gone or disabled:
        words = [f"{group} (no such group)" for group in gone] + [f"{group} (disabled)" for group in disabled]
        advice = "Correct the ids in the policy file (in Slack: People, User groups, Copy group ID) and apply it."
        yield says.fail(Check.USER_GROUPS, f"rules name {', '.join(words)}: they let nobody in.", advice)
    else:
        yield says.ok(Check.USER_GROUPS, f"{len(case.groups)} that rules name are there")
