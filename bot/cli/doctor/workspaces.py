"""Many workspaces: the settings that let them install the bot, each installation's token, and each one's database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import sqlalchemy as sa

from bot import connections
from bot.cli.chosen import token_of
from bot.cli.doctor.asking import REFUSALS, ask
from bot.cli.doctor.case import Case
from bot.cli.doctor.findings import Area, Check, Finding, Findings, Looking, Says
from bot.cli.doctor.scopes import check_scopes
from bot.domain.installations import Installation
from bot.settings import Settings
from bot.slack.egress import open_session
from bot.storage import migrate
from bot.storage.condition import sqlite_file
from bot.storage.engine import cause_of

AGAIN = "Have an admin there open /slack/install again; nothing else is lost."
NO_DATABASE = "there is no database for it yet, so it is not served."
UPGRADE = "Run, as the owner of the database: workflow-bot db upgrade"


def check_oauth_settings(case: Case) -> Iterator[Finding]:
    """What the settings say about who may install the bot, and about people."""
    says, settings = Says(Area.SETTINGS), case.all
    if not settings.oauth:
        return
    if settings.slack_bot_token.get_secret_value():
        found = "is set and not used, as SLACK_CLIENT_ID is set: each workspace has a token of its own."
        yield says.look(Check.BOT_TOKEN, found, "Take it away; its workspace installs the bot like the others.")
    if settings.workspaces:
        yield says.ok(Check.WORKSPACES, f"{len(settings.workspaces)} may install the bot")
    else:
        found = "not set: whoever finds the page /slack/install may install the bot."
        yield says.look(Check.WORKSPACES, found, "Set it to the ids of those that may: T…, or E… for an organisation.")
    yield _public_url(says, settings)
    plain: dict[str, list[str]] = {}
    for named in settings.plain_ids:
        setting, _, word = named.partition(": ")
        plain.setdefault(setting, []).append(word)
    for setting, ids in plain.items():
        found = f"{', '.join(ids)}: nobody's, as many workspaces are served and an id counts within one."
        yield says.fail(Check(setting), found, "Write the workspace before it, as in T01ACME/U01ALICE.")


def _public_url(says: Says, settings: Settings) -> Finding:
    advice = "Set it to where browsers reach the bot, as in https://bot.example.com."
    if not settings.public_url:
        found = "not set: Slack leads browsers to the first redirect URL on the app's page, whichever that is."
        return says.look(Check.PUBLIC_URL, found, advice)
    if not settings.public_url.startswith("https://"):
        found = f"{settings.public_url} is of this machine: Slack leads browsers to https only."
        return says.fail(Check.PUBLIC_URL, found, advice)
    return says.ok(Check.PUBLIC_URL, f"{settings.public_url}/slack/install")


async def check_databases(case: Case) -> Findings:
    """The databases beside the one that is looked at anyway: there, and of the schema that this version needs."""
    says = Says(Area.DATABASE)
    for name, settings in _others(case):
        yield Looking(f"the database of {name}")
        url = settings.database_url.get_secret_value()
        try:
            file = sqlite_file(url)
            there = file is None or file.exists()
            current, newest = await asyncio.to_thread(migrate.revisions, url) if there else (None, "")
        except (sa.exc.SQLAlchemyError, OSError) as error:
            yield says.fail(Check.SCHEMA, f"can't be read: {cause_of(error)}.", "See what DATABASE_URL leads to.", name)
            continue
        if current is None:
            yield says.fail(Check.SCHEMA, NO_DATABASE, UPGRADE, name)
        elif current != newest and not migrate.is_ahead(current):
            yield says.fail(Check.SCHEMA, f"at revision {current}; this version needs {newest}.", UPGRADE, name)
        else:
            yield says.ok(Check.SCHEMA, f"revision {current}", name)


def _others(case: Case) -> Iterator[tuple[str, Settings]]:
    if not case.all.oauth:
        return
    mine = case.settings.database_url.get_secret_value()
    candidates = [("main", case.all)]
    candidates += [
        (one.id, connections.settings_of(case.all, one.id, "")) for one in case.installations if one.is_installed
    ]
    yield from (each for each in candidates if each[1].database_url.get_secret_value() != mine)


async def check_installations(case: Case) -> Findings:
    """Whether Slack takes each one's token, and whether it will tomorrow."""
    says = Says(Area.SLACK)
    installed = [one for one in case.installations if one.is_installed]
    removed = next((one for one in case.installations if one.id == case.workspace and not one.is_installed), None)
    if removed is not None:
        found = f"it was removed at {removed.removed_at:%Y-%m-%d %H:%M} UTC: {removed.trouble}."
        yield says.look(Check.INSTALLATION, found, AGAIN, removed.id)
    elif not case.installations and case.held is None:
        found = "who has installed the bot can't be told, as the database can't be read."
        yield says.look(Check.INSTALLATION, found, "See the database's checks.")
    elif not installed:
        yield says.look(Check.INSTALLATION, "nobody has installed the bot yet.", "Open /slack/install at its address.")
    async with open_session(case.all.slack_api_url) as session:
        for one in installed:
            yield Looking(f"whether Slack takes the token of {one.id}")
            async for finding in _installation(case, one, session):
                yield finding


async def _installation(case: Case, one: Installation, session: aiohttp.ClientSession) -> Findings:
    says = Says(Area.SLACK)
    token = token_of(case.all, one)
    if not token:
        found = "its token can't be read: ENCRYPTION_KEY is not the one that it was sealed with."
        advice = (
            "Put the old key back behind the new one (ENCRYPTION_KEY=new,old), then: workflow-bot workspaces reseal"
        )
        yield says.fail(Check.INSTALLATION, found, advice, one.id)
        return
    client = connections.build_client(connections.settings_of(case.all, one.id, token), session)
    answer, refusal = await ask(client.auth_test)
    if answer is not None:
        yield _taken(case, one, str(answer.get("user")))
        yield check_scopes(answer.headers, f"Then: {AGAIN}", one.id)
    elif refusal.startswith("no answer"):
        yield says.fail(Check.INSTALLATION, f"Slack can't be reached ({refusal}).", "Check the network.", one.id)
    else:
        words = REFUSALS.get(refusal, "it doesn't say why")
        yield says.fail(Check.INSTALLATION, f"Slack refuses its token ({refusal}): {words}.", AGAIN, one.id)


def _taken(case: Case, one: Installation, bot: str) -> Finding:
    """What there is to say of an installation whose token Slack takes today."""
    says = Says(Area.SLACK)
    if one.is_near_its_end(case.now()):
        found = f"its token ends at {one.expires_at:%Y-%m-%d %H:%M} UTC, and is not exchanged. {one.trouble}".strip()
        return says.fail(Check.INSTALLATION, found, f"See that a bot serves, and its log. {AGAIN}", one.id)
    if one.trouble:
        return says.fail(Check.INSTALLATION, f"{one.trouble}.", "workflow-bot doctor database says more.", one.id)
    return says.ok(Check.INSTALLATION, f"{one.name}, bot {bot}", one.id)
