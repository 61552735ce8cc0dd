"""`serve`: the bot itself."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import signal
from functools import partial

import click

from bot import __version__, bootstrap
from bot.cli.db import upgrade_schema
from bot.cli.output import load_all_settings, sentences, wait_for
from bot.datadog.sites import find_site
from bot.domain.errors import InvalidSettings, SlackUnavailable
from bot.evidence.signed_heads import Signer
from bot.settings import Settings, require_datadog, require_slack
from bot.use_cases.note_overrides import note_overrides
from bot.workspace import Workspace

AGAIN = 3.0  # seconds between questions to a Slack that does not answer

log = logging.getLogger("workflow-bot")


@click.command()
@click.option("--migrate/--no-migrate", default=True, help="Bring the database's schema up to date first (default).")
@sentences
def serve(migrate: bool) -> None:
    """Serve Slack: over HTTP, or over Socket Mode where SLACK_APP_TOKEN is set."""
    settings = load_all_settings()
    require_slack(settings)
    require_datadog(settings)
    if signing := settings.audit_signing_key.get_secret_value():
        Signer(signing)  # also where nobody is told yet: who sets a witness later finds it good
    site = find_site(settings.dd_site)
    overrides = settings.overrides | ({"DD_SITE": site.name} if site.warning else {})
    if settings.oauth and settings.slack_bot_token.get_secret_value():
        log.warning("SLACK_BOT_TOKEN is not used: SLACK_CLIENT_ID is set, and each workspace has a token of its own")
    for plain in settings.plain_ids:
        log.warning("%s is nobody's: name it with its workspace, as in T01ACME/%s", plain, plain.rpartition(" ")[2])
    if migrate:
        upgrade_schema(settings)
    wait_for(_serve(settings, overrides, migrate))


async def _greet(workspace: Workspace) -> bool:
    """Whether Slack says who we are. Raises InvalidSettings where it refuses the token."""
    try:
        me = await workspace.directory.me()
    except SlackUnavailable:
        return False
    log.info("Slack answers: workspace %s, bot %s", me.team_name or me.team_id, me.bot_user_id)
    return True


async def _keep_greeting(workspace: Workspace, stop: asyncio.Event) -> None:
    """Until Slack says who we are, in words where that was not so at the start."""
    log.warning("Slack does not answer: the bot starts, is not ready, and keeps asking")
    try:
        while not stop.is_set() and not await _greet(workspace):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AGAIN)
    except InvalidSettings as error:
        log.error("%s", error)


async def _serve(settings: Settings, overrides: dict[str, str], migrates: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    note = partial(note_overrides, overrides, __version__, getpass.getuser())
    async with bootstrap.open_bot(settings, migrates=migrates, note=note) as bot:
        greeting = None
        if not settings.oauth and not await _greet(bot.workspace):
            greeting = asyncio.create_task(_keep_greeting(bot.workspace, stop))
        async with bootstrap.running(bot, settings) as port:
            door = "Socket Mode" if settings.socket_mode else f"http://{settings.host}:{port}/slack/events"
            if settings.metrics_apart:
                log.info(
                    "metrics on http://%s:%d/metrics", settings.metrics_host or settings.host, settings.metrics_port
                )
            bootstrap.settle()
            log.info("listening to Slack on %s; health on http://%s:%d/healthz", door, settings.host, port)
            await stop.wait()
            if greeting is not None:
                await greeting
            log.info("stopping: no new work, waiting for calls in flight")
    log.info("stopped")
