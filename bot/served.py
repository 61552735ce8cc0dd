"""Whom a process serves: the one workspace of SLACK_BOT_TOKEN, or all that have installed the bot."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from bot.connections import Lines, build_oauth, build_sealer, open_store, tokenless_client
from bot.datadog.sites import Site
from bot.domain.installations import Troubled
from bot.domain.replicas import Replica
from bot.install_pages import InstallPages
from bot.opening import Note, Opener
from bot.readiness import Check, Database, slack_knows_us, trail_goes_on
from bot.settings import Settings
from bot.slack.app import Admit, Admitted, Gone
from bot.slack.oauth import SlackOAuth
from bot.slack.voice import Voice
from bot.storage.store import SqlStore
from bot.supervision import supervise
from bot.use_cases.report_replica import report
from bot.workspace import DRAIN, Workspace, at_work, open_workspace
from bot.workspaces import Workspaces

Describe = Callable[[datetime], Replica]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """One or many, alike. `store` is the database that DATABASE_URL names.

    `admit` decides where a request goes, `at_work` keeps the loops going until left, `open` is what is served just now, by
    id (the only one has no need of it), `checks` say whether it can be served, and
    `troubled` counts the workspaces where not all is well.
    """

    store: SqlStore
    client: AsyncWebClient
    admit: Admit
    gone: Gone | None
    at_work: Callable[[], AbstractAsyncContextManager[None]]
    open: Callable[[], Mapping[str, Workspace]]
    checks: Mapping[str, Check]
    troubled: Callable[[], Troubled]
    pages: InstallPages | None = None


@contextlib.asynccontextmanager
async def serve_one(
    settings: Settings, lines: Lines, site: Site | None, describe: Describe, note: Note
) -> AsyncIterator[Served]:
    """The workspace of SLACK_BOT_TOKEN."""
    async with open_workspace(settings, lines, site) as workspace:
        await workspace.store.insist_on_keys()
        await note(workspace.store)

        async def admit(_: AsyncBoltContext) -> Admitted:
            return Admitted(workspace.switchboard, await workspace.directory.me(), workspace.client.token)

        work, checks = partial(at_work, workspace, describe), _of(workspace.store)
        checks["trail"] = partial(trail_goes_on, workspace.store)
        checks["slack"] = partial(slack_knows_us, workspace.directory)
        yield Served(workspace.store, workspace.client, admit, None, work, lambda: {"": workspace}, checks, Troubled)


@contextlib.asynccontextmanager
async def serve_many(
    settings: Settings, lines: Lines, site: Site | None, describe: Describe, note: Note, *, migrates: bool
) -> AsyncIterator[Served]:
    """Every workspace that has installed the bot, and those that do it meanwhile."""
    async with open_store(settings, lines.telemetry) as store:
        client, sealer, oauth = tokenless_client(settings, lines), build_sealer(settings), build_oauth(settings, lines)
        voice = Voice(client, lines.slack, lines.telemetry)
        many = Workspaces(store, Opener(settings, store, sealer, lines, site, describe, migrates, note), voice)
        work = partial(_all_at_work, many, store, oauth, describe, lines)
        pages = InstallPages(settings, oauth, sealer, store, many)
        yield Served(
            store,
            client,
            many.admit,
            partial(many.gone, oauth.takes),
            work,
            many.served,
            _of(store),
            many.troubled,
            pages,
        )


@contextlib.asynccontextmanager
async def _all_at_work(
    many: Workspaces, store: SqlStore, oauth: SlackOAuth, describe: Describe, lines: Lines
) -> AsyncIterator[None]:
    """Keep every installed workspace open and its token fresh until left; then all finish what they have begun."""
    stopping, go = asyncio.Event(), partial(supervise, telemetry=lines.telemetry)
    loops = [
        asyncio.create_task(go("workspaces", many.follow, stopping), name="workspaces"),
        asyncio.create_task(go("tokens", partial(many.refresh, oauth.exchange_refresh_token), stopping), name="tokens"),
        asyncio.create_task(go("replica", partial(report, describe, store), stopping), name="replica"),
    ]
    try:
        yield
    finally:
        stopping.set()
        await many.close()
        _, late = await asyncio.wait(loops, timeout=DRAIN)
        for loop in late:
            log.error(
                "the loop “%s” did not end in time: a token that Slack has exchanged may be lost", loop.get_name()
            )
            loop.cancel()


def _of(store: SqlStore) -> dict[str, Check]:
    database = Database(store)
    return {"database": database.read, "writes": database.written}
