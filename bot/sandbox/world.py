"""The real bot between a local Slack and a local Datadog, over real HTTP or a real socket. For the sandbox, tests and bench.

Nothing here knows what is in the workspace or the catalogue: whoever opens a world furnishes it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from bot import bootstrap, connections
from bot.datadog.sites import Site
from bot.policy_file.compile import compile_policy
from bot.policy_file.reader import parse_policy
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.settings import Settings, read_settings
from bot.storage import migrate
from bot.use_cases.apply_policy import apply_policy


@dataclass(frozen=True, slots=True)
class World:
    """Everything in it, running."""

    slack: LocalSlack
    datadog: LocalDatadog
    bot: bootstrap.Bot
    settings: Settings
    url: str

    async def apply(self, policy: str) -> int:
        """Make a policy, given as YAML, the one in force. Each workflow's inputs are read from the local Datadog."""
        source = parse_policy(policy, "workflows.yml")
        async with connections.open_datadog(self.settings) as accounts:
            client = accounts.own()  # one stand-in is every account's Datadog
            definitions = {name: await client.get_workflow(w.id) for name, w in source.fields.workflows.items()}
        compiled = compile_policy(source, definitions)
        return await apply_policy(
            compiled,
            digest=source.digest,
            source=source.text,
            applied_by="sandbox",
            store=self.bot.store,
        )


@contextlib.asynccontextmanager
async def open_world(
    slack: LocalSlack,
    datadog: LocalDatadog,
    database_url: str,
    *,
    socket_mode: bool = False,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[World]:
    """The bot between two stand-ins that are started already; `environment` adds to its settings."""
    settings = read_settings(world_environment(slack, datadog, database_url, socket_mode) | dict(environment or {}))
    await asyncio.to_thread(migrate.upgrade, settings.database_url.get_secret_value())
    local = Site("local", datadog.url, datadog.url)
    async with bootstrap.open_bot(settings, local) as bot, bootstrap.running(bot, settings) as port:
        url = f"http://127.0.0.1:{port}"
        slack.bot_url = None if socket_mode else f"{url}/slack/events"
        yield World(slack, datadog, bot, settings, url)


def world_environment(
    slack: LocalSlack, datadog: LocalDatadog, database_url: str, socket_mode: bool = False
) -> dict[str, str]:
    """The environment variables that point a bot at the stand-ins."""
    environment = {
        "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "DD_API_URL": datadog.url,
        "DD_API_KEY": datadog.api_key,
        "DD_APP_KEY": datadog.app_key,
        "DATABASE_URL": database_url,
        "PORT": "0",
    }
    if socket_mode:
        environment["SLACK_APP_TOKEN"] = slack.app_token
    return environment
