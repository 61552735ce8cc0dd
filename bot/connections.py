"""What has to be opened and closed: the database, Slack, Datadog, and those who witness the trail's head."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx
from pydantic import SecretStr

from bot.datadog.accounts import Accounts, Load
from bot.datadog.client import Datadog
from bot.datadog.connections import open_http
from bot.datadog.credentials import Credentials
from bot.datadog.intake import Intake
from bot.datadog.sites import Site, find_site
from bot.domain.accounts import Account
from bot.evidence.delivery import AppendedFile, Webhook
from bot.observability import hide_in_logs
from bot.settings import Settings
from bot.slack.client import SlackClient
from bot.slack.egress import open_session
from bot.slack.oauth import SlackOAuth
from bot.storage.engine import open_engines, workspace_url
from bot.storage.sealing import FernetSealer
from bot.storage.store import SqlStore
from bot.use_cases.pace import CALL_LIMIT
from bot.use_cases.telemetry import Telemetry
from bot.use_cases.witness_head import Tell

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lines:
    """The connections of a process: one pool to Slack, one to Datadog, and whom both are told of."""

    slack: aiohttp.ClientSession
    datadog: httpx.AsyncClient
    telemetry: Telemetry


@contextlib.asynccontextmanager
async def open_lines(settings: Settings, telemetry: Telemetry) -> AsyncIterator[Lines]:
    """Both pools. Nothing is connected yet."""
    named = settings.slack_api_url, settings.audit_witness_url.get_secret_value()
    async with open_http() as datadog, open_session(*named) as slack:
        yield Lines(slack, datadog, telemetry)


def settings_of(settings: Settings, workspace_id: str, token: str) -> Settings:
    """The settings as they are for one of many workspaces: its own database, token, people, channel and witnesses.

    A person or channel that is named without a workspace is nobody's: ids are only known within one.
    """

    def own(words: Iterable[str]) -> tuple[str, ...]:
        return tuple(word.removeprefix(f"{workspace_id}/") for word in words if word.startswith(f"{workspace_id}/"))

    path, url = settings.audit_witness_path, settings.audit_witness_url.get_secret_value()
    changes = {
        "slack_client_id": "",
        "slack_bot_token": SecretStr(token),
        "database_url": SecretStr(workspace_url(settings.database_url.get_secret_value(), workspace_id)),
        "admins": own(settings.admins),
        "auditors": own(settings.auditors),
        "audit_channel": next(iter(own(settings.audit_channel.replace(",", " ").split())), ""),
        # Heads of two trails in one place could not be told apart.
        "audit_witness_path": str(Path(path).with_name(f"{Path(path).stem}.{workspace_id}{Path(path).suffix}"))
        if path
        else "",
        "audit_witness_url": SecretStr(f"{url}{'&' if '?' in url else '?'}workspace={workspace_id}" if url else ""),
    }
    return settings.model_copy(update=changes)


@contextlib.asynccontextmanager
async def open_store(settings: Settings, telemetry: Telemetry | None = None) -> AsyncIterator[SqlStore]:
    """The database, ready to read and write."""
    writer, reader = open_engines(settings.database_url.get_secret_value())
    store = SqlStore(writer, reader, settings.audit_keys, telemetry)
    store.start()
    try:
        yield store
    finally:
        await store.close()


async def no_accounts() -> list[Account]:
    """For those who need the environment's own account only."""
    return []


@contextlib.asynccontextmanager
async def open_datadog(
    settings: Settings, load: Load = no_accounts, site: Site | None = None
) -> AsyncIterator[Accounts]:
    """As `read_accounts`, over a pool of their own."""
    async with open_http() as http:
        yield await read_accounts(settings, http, load, site)


async def read_accounts(
    settings: Settings, http: httpx.AsyncClient, load: Load, site: Site | None, telemetry: Telemetry | None = None
) -> Accounts:
    """The clients of all Datadog accounts, over one pool of connections. Raises InvalidSettings for a site it can't use.

    `load` names the accounts beside the environment's own. `site` is given by the sandbox, whose links lead to its own
    Datadog.
    """
    site = site or find_site(settings.dd_site)
    if site.warning:
        log.warning("%s", site.warning)
    base_url = settings.dd_api_url or site.api_url
    own = Datadog(_credentials(settings), base_url, http, site, total_timeout=CALL_LIMIT, telemetry=telemetry)
    accounts = Accounts(own, http, os.environ, settings.dd_api_url, load, hide_in_logs, telemetry)
    await accounts.refresh()
    return accounts


def build_sealer(settings: Settings) -> FernetSealer:
    """ENCRYPTION_KEY (several, newest first, for rotation), else a key derived from a secret that every replica has."""
    secrets = (settings.slack_signing_secret, settings.slack_client_secret, settings.slack_bot_token)
    fallback = next((secret.get_secret_value() for secret in secrets if secret.get_secret_value()), "")
    return FernetSealer(settings.encryption_keys or [fallback])


def build_client(settings: Settings, session: aiohttp.ClientSession, telemetry: Telemetry | None = None) -> SlackClient:
    """Slack's Web API over one shared session. Nothing is repeated by itself: the outbox does that, and knows what it sent."""
    return SlackClient(
        telemetry or Telemetry(),
        token=settings.slack_bot_token.get_secret_value(),
        base_url=settings.slack_api_url,
        session=session,
        timeout=15,
        retry_handlers=[],
    )


def tokenless_client(settings: Settings, lines: Lines) -> SlackClient:
    """Slack's Web API for what belongs to no workspace."""
    client = build_client(settings, lines.slack, lines.telemetry)
    client.token = None
    return client


def build_oauth(settings: Settings, lines: Lines) -> SlackOAuth:
    """The app, as Slack knows it."""
    redirect = f"{settings.public_url}/slack/oauth_redirect" if settings.public_url else ""
    secret = settings.slack_client_secret.get_secret_value()
    return SlackOAuth(tokenless_client(settings, lines), settings.slack_client_id, secret, redirect)


def build_witnesses(settings: Settings, lines: Lines) -> dict[str, Tell]:
    """Whom the head of the trail is told to, by the names that the database knows them by."""
    witnesses: dict[str, Tell] = {}
    if settings.audit_witness_path:
        witnesses["path"] = AppendedFile(Path(settings.audit_witness_path))
    if url := settings.audit_witness_url.get_secret_value():
        witnesses["url"] = Webhook(lines.slack, url)
    if kind := settings.audit_witness_datadog:
        key = settings.dd_api_key.get_secret_value()
        witnesses["datadog"] = Intake(lines.datadog, find_site(settings.dd_site), key, settings.dd_api_url, kind)
    return witnesses


def _credentials(settings: Settings) -> Credentials:
    return Credentials(
        api_key=settings.dd_api_key.get_secret_value(),
        app_key=settings.dd_app_key.get_secret_value(),
        access_token=settings.dd_access_token.get_secret_value(),
    )
