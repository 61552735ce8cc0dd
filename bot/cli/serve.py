"""`serve`: the bot itself."""

from __future__ import annotations

import asyncio
import getpass
import logging
import signal

import click

from bot import __version__, bootstrap
from bot.cli.db import upgrade_schema
from bot.cli.output import load_settings, sentences, wait_for
from bot.datadog.sites import find_site
from bot.domain.errors import SlackUnavailable
from bot.settings import Settings, require_datadog, require_slack
from bot.use_cases.note_overrides import note_overrides

log = logging.getLogger("workflow-bot")


@click.command()
@click.option("--migrate/--no-migrate", default=True, help="Bring the database's schema up to date first (default).")
@sentences
def serve(migrate: bool) -> None:
    """Serve Slack: over HTTP, or over Socket Mode where SLACK_APP_TOKEN is set."""
    settings = load_settings()
    require_slack(settings)
    require_datadog(settings)
    site = find_site(settings.dd_site)
    overrides = settings.overrides | ({"DD_SITE": site.name} if site.warning else {})
    if migrate:
        upgrade_schema(settings)
    wait_for(_serve(settings, overrides))


async def _serve(settings: Settings, overrides: dict[str, str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with bootstrap.open_bot(settings) as bot:
        await note_overrides(overrides, __version__, getpass.getuser(), bot.store)
        try:
            me = await bot.workspace.directory.installation()
            log.info("Slack workspace %s, bot %s", me.team_name or me.team_id, me.bot_user_id)
        except SlackUnavailable:
            log.warning("Slack does not answer; the bot starts and keeps asking")
        async with bootstrap.running(bot, settings) as port:
            door = "Socket Mode" if settings.socket_mode else f"http://{settings.host}:{port}/slack/events"
            log.info("ready: listening to Slack on %s; health on http://%s:%d/healthz", door, settings.host, port)
            await stop.wait()
            log.info("stopping: no new work, waiting for calls in flight")
    log.info("stopped")
