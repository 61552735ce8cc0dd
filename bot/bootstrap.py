"""The composition root: puts the process together. What it opens it closes, in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import socket as network
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from aiohttp import web
from slack_bolt.async_app import AsyncApp

from bot import __version__
from bot.connections import open_lines
from bot.datadog.sites import Site
from bot.domain.errors import NotRecorded, SlackUnavailable
from bot.domain.replicas import Replica
from bot.instruments import Instruments, Watched, build_instruments, watching
from bot.settings import Settings
from bot.slack.app import build_app
from bot.slack.directory import SlackDirectory
from bot.slack.heard import Heard
from bot.slack.socket import Socket
from bot.storage.samples import CHANNEL
from bot.storage.store import SqlStore
from bot.supervision import supervise
from bot.use_cases.telemetry import Telemetry
from bot.web import build_web
from bot.workspace import Workspace, at_work, open_workspace


@dataclass(frozen=True, slots=True)
class Bot:
    """Everything that runs in one process. `store` is the database that DATABASE_URL names."""

    store: SqlStore
    workspace: Workspace
    app: AsyncApp
    web: web.Application
    heard: Heard
    instruments: Instruments
    socket: Socket | None


@contextlib.asynccontextmanager
async def open_bot(settings: Settings, site: Site | None = None) -> AsyncIterator[Bot]:
    """The whole bot, connected to nothing yet but its database."""
    heard = Heard()
    instruments = build_instruments(settings, heard)
    async with open_lines(instruments.telemetry) as lines, open_workspace(settings, lines, site) as workspace:
        # Bolt wants a signing secret even where nothing is signed; in Socket Mode no request comes by HTTP.
        secret = settings.slack_signing_secret.get_secret_value() or "unused in Socket Mode"
        app = build_app(workspace.client, secret, workspace.directory, workspace.switchboard, heard)
        takes_events = not settings.socket_mode
        token = settings.slack_app_token.get_secret_value()
        socket = Socket(app, workspace.client, lines.slack, token, heard) if settings.socket_mode else None
        ready = partial(_missing, workspace.store, workspace.directory, socket)
        page = None if settings.metrics_apart else instruments.page.metrics
        application = build_web(app, ready, heard, page, takes_events=takes_events)
        yield Bot(workspace.store, workspace, app, application, heard, instruments, socket)


@contextlib.asynccontextmanager
async def running(bot: Bot, settings: Settings) -> AsyncIterator[int]:
    """Serve until left: first the doors are shut, then what came through them is finished. Yields the port."""
    async with contextlib.AsyncExitStack() as stack:
        runner = web.AppRunner(bot.web, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await stack.enter_async_context(watching(bot.instruments, partial(_watched, bot), settings))
        await stack.enter_async_context(at_work(bot.workspace, _describe(bot, settings)))
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        if bot.socket is not None:
            await stack.enter_async_context(_listening(bot.socket, bot.instruments.telemetry))
        stack.push_async_callback(site.stop)
        yield int(runner.addresses[0][1])


@contextlib.asynccontextmanager
async def _listening(socket: Socket, telemetry: Telemetry) -> AsyncIterator[None]:
    """Take requests over the socket until left. Raises InvalidSettings where Slack refuses the token."""
    await socket.prove()
    closing = asyncio.Event()
    loop = asyncio.create_task(supervise("socket", socket.listen, closing, telemetry))
    try:
        yield
    finally:
        closing.set()
        await loop


def _describe(bot: Bot, settings: Settings) -> Callable[[datetime], Replica]:
    """What this process says of itself at a moment of the database's clock."""
    name, host, began = uuid.uuid4().hex, network.gethostname()[:255], datetime.now(UTC)

    def describe(now: datetime) -> Replica:
        heard, ahead = bot.heard, now - datetime.now(UTC)
        return Replica(
            id=name,
            host=host,
            version=__version__,
            socket_mode=settings.socket_mode,
            started_at=began + ahead,
            seen_at=now,
            heard_at=heard.request_at and heard.request_at + ahead,
            command=heard.command,
            refused=heard.refused,
            refused_at=heard.refused_at and heard.refused_at + ahead,
            connections=heard.connections,
            connected_at=heard.connected_at and heard.connected_at + ahead,
            app_id=heard.app_id,
        )

    return describe


def _watched(bot: Bot) -> dict[str, Watched]:
    """Each workspace by its name, which the only one has no need of."""
    settings, witnesses = bot.workspace.settings, list(bot.workspace.witnesses)
    return {"": Watched(bot.workspace.store, [*witnesses, CHANNEL] if settings.audit_channel else witnesses)}


async def _missing(store: SqlStore, directory: SlackDirectory, socket: Socket | None) -> str | None:
    try:
        await store.read(lambda tx: tx.policy_version())
    except NotRecorded:
        return "the database can't be read"
    try:
        await directory.installation()
    except SlackUnavailable:
        return "Slack does not answer"
    return None if socket is None else socket.trouble
