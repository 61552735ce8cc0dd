"""Many workspaces in acceptance tests: one app that they install through the pages, and replicas that serve them all."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import sqlalchemy as sa

from bot import bootstrap
from bot.connections import open_datadog, open_store, settings_of
from bot.datadog.sites import Site
from bot.domain.runs import Run, State
from bot.policy_file.compile import compile_policy
from bot.policy_file.reader import parse_policy
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack, LocalSlackApp
from bot.settings import Settings, read_settings
from bot.storage import migrate
from bot.storage.tables import metadata
from bot.use_cases.apply_policy import apply_policy
from tests.acceptance.scene import Json, until

ACME, BETA, GRID = "T01ACME", "T02BETA", "E01GRID"
ALICE, BOB, CARA = "U01ALICE", "U02BOB", "U03CARA"
OPS, AUDIT = "C01OPS", "C03AUDIT"


@dataclass
class Replica:
    """One process's worth of bot."""

    bot: bootstrap.Bot
    url: str


@dataclass
class Many:
    """The app, Datadog, and the replicas on one main database."""

    app: LocalSlackApp
    datadog: LocalDatadog
    settings: Settings
    replicas: list[Replica]
    socket: bool
    environment: dict[str, str]

    @property
    def acme(self) -> LocalSlack:
        return self.app.slacks[ACME]

    @property
    def beta(self) -> LocalSlack:
        return self.app.slacks[BETA]

    def turn_to(self, number: int) -> None:
        """Have Slack reach this replica from now on; over a socket it reaches whichever it likes."""
        for slack in self.app.slacks.values():
            slack.bot_url = None if self.socket else f"{self.replicas[number].url}/slack/events"

    async def install(self, team: str, user: str = ALICE, *, finish_at: int = 0, **query: str) -> tuple[int, str]:
        """Go through the pages as a browser does, beginning at the first replica. Returns the last page."""
        async with browser() as session:
            url = await self.begin(session, team, user, **query)
            return await self.finish(session, url, finish_at)

    async def begin(self, session: aiohttp.ClientSession, team: str, user: str = ALICE, **query: str) -> str:
        """The first page, and Slack's. Returns what of the last page's address comes after the host."""
        async with session.get(f"{self.replicas[0].url}/slack/install") as page:
            assert page.status == 200
            link = (await page.text()).split('href="')[1].split('"')[0].replace("&amp;", "&")
        chosen = {"team": team, "user": user, **query}
        async with session.get(link, params=chosen, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            return "/slack/oauth_redirect" + answer.headers["Location"].split("/slack/oauth_redirect")[1]

    async def finish(self, session: aiohttp.ClientSession, url: str, at: int = 0) -> tuple[int, str]:
        async with session.get(f"{self.replicas[at].url}{url}", allow_redirects=False) as page:
            return page.status, await page.text()

    def settings_of(self, workspace_id: str) -> Settings:
        return settings_of(self.settings, workspace_id, "")

    async def apply(self, workspace_id: str, workflows: Json, rules: Sequence[Json]) -> None:
        """Apply a policy in one workspace, as `workflow-bot --workspace … policy apply` does."""
        settings = self.settings_of(workspace_id)
        source = parse_policy(json.dumps({"version": 1, "workflows": workflows, "rules": list(rules)}), "workflows.yml")
        async with open_datadog(settings) as accounts, open_store(settings) as store:
            definitions = {name: await accounts.own().get_workflow(w.id) for name, w in source.fields.workflows.items()}
            compiled = compile_policy(source, definitions)
            await apply_policy(compiled, digest=source.digest, source=source.text, applied_by="a test", store=store)

    async def records(self, workspace_id: str) -> list[Json]:
        """The workspace's audit trail."""
        async with open_store(self.settings_of(workspace_id)) as store:
            found = await store.read(lambda tx: tx.records(0, 1000))
        return [json.loads(record.body) for record in found]

    async def acts(self, workspace_id: str) -> list[str]:
        return [body["act"] for body in await self.records(workspace_id)]

    async def wait_for_act(self, workspace_id: str, act: str) -> None:
        async def recorded() -> bool:
            return act in await self.acts(workspace_id)

        await until(recorded)

    async def runs(self, workspace_id: str) -> list[Run]:
        """The workspace's runs, newest first."""
        async with open_store(self.settings_of(workspace_id)) as store:
            return await store.read(lambda tx: tx.runs(100))

    async def the_run(self, workspace_id: str, state: State) -> Run:
        """The workspace's newest run, once it is in this state."""

        async def look() -> Run | None:
            found = await self.runs(workspace_id)
            return found[0] if found and found[0].state is state else None

        return await until(look)

    def as_in(self, workspace_id: str) -> dict[str, str]:
        """The environment of a command for this workspace."""
        given = self.environment | {"WORKSPACE": workspace_id, "PORT": "3999"}
        return {name: value for name, value in given.items() if value}

    async def installation(self, workspace_id: str) -> Any:
        return await self.replicas[0].bot.store.read(lambda tx: tx.installation(workspace_id))


def browser() -> aiohttp.ClientSession:
    """A browser with cookies of its own, which takes them from a host that is an address."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


def furnish(slack: LocalSlack) -> LocalSlack:
    """The same people and channels, by the same ids, in every workspace."""
    for user, name in ((ALICE, "Alice Moreau"), (BOB, "Bob Tanaka"), (CARA, "Cara Lindt")):
        slack.add_person(user, f"{name} of {slack.workspace.team_name}")
    slack.add_channel(OPS, "ops")
    slack.add_channel(AUDIT, "audit")
    return slack


@contextlib.asynccontextmanager
async def open_many(
    app: LocalSlackApp,
    datadog: LocalDatadog,
    database_url: str,
    *,
    replicas: int = 2,
    socket: bool = False,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Many]:
    """Replicas that serve whoever installs. `environment` adds to their settings."""
    app.redirect_urls = ["http://127.0.0.1:9/slack/oauth_redirect"]
    given = {
        "SLACK_API_URL": app.api_url,
        "SLACK_CLIENT_ID": app.client_id,
        "SLACK_CLIENT_SECRET": app.client_secret,
        "SLACK_SIGNING_SECRET": app.signing_secret,
        "PUBLIC_URL": "http://127.0.0.1:9",
        "DD_API_URL": datadog.url,
        "DD_API_KEY": datadog.api_key,
        "DD_APP_KEY": datadog.app_key,
        "DATABASE_URL": database_url,
        "PORT": "0",
        **({"SLACK_APP_TOKEN": app.app_token} if socket else {}),
        **(environment or {}),
    }
    settings = read_settings(given)
    await asyncio.to_thread(migrate.upgrade, database_url)
    async with contextlib.AsyncExitStack() as stack:
        many = Many(app, datadog, settings, [], socket, given)
        for _ in range(replicas):
            site = Site("local", datadog.url, datadog.url)
            bot = await stack.enter_async_context(bootstrap.open_bot(settings, site))
            port = await stack.enter_async_context(bootstrap.running(bot, settings))
            many.replicas.append(Replica(bot, f"http://127.0.0.1:{port}"))
        many.turn_to(0)
        yield many


def contents(url: str) -> str:
    """Every row of every table of a database."""
    engine = migrate.plain_engine(url)
    try:
        with engine.connect() as connection:
            return "\n".join(
                repr(row) for table in metadata.sorted_tables for row in connection.execute(sa.select(table))
            )
    finally:
        engine.dispose()
