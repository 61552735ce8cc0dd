"""The composition root: puts the process together. What it opens it closes, in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket as network
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aiohttp import web
from slack_bolt.async_app import AsyncApp

from bot import __version__
from bot.connections import Lines, open_lines
from bot.datadog.sites import Site
from bot.domain.replicas import Replica
from bot.instruments import Instruments, Watched, build_instruments, watching
from bot.opening import Note
from bot.port import open_port
from bot.readiness import Check, Readiness, heard_on, loops_go_round
from bot.served import Describe, Served, serve_many, serve_one
from bot.settings import Settings
from bot.slack.app import build_app
from bot.slack.heard import Heard
from bot.slack.signature import Signature
from bot.slack.socket import Socket
from bot.storage.samples import CHANNEL
from bot.storage.store import SqlStore
from bot.supervision import supervise
from bot.use_cases.telemetry import Telemetry
from bot.web import build_web
from bot.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Bot:
    """Everything that runs in one process."""

    served: Served
    app: AsyncApp
    web: web.Application
    heard: Heard
    instruments: Instruments
    socket: Socket | None

    @property
    def store(self) -> SqlStore:
        """The database that DATABASE_URL names."""
        return self.served.store

    @property
    def workspace(self) -> Workspace:
        """The one workspace. Raises KeyError where many are served."""
        return self.served.open()[""]


async def _nothing(_: SqlStore) -> None:
    """Whoever opens a bot may have nothing to note."""


@contextlib.asynccontextmanager
async def open_bot(
    settings: Settings, site: Site | None = None, *, migrates: bool = True, note: Note = _nothing
) -> AsyncIterator[Bot]:
    """The whole bot, connected to nothing yet but its database.

    `migrates`: it may bring databases of workspaces up to date; `note` is written into each workspace's trail before it is
    served.
    """
    heard = Heard()
    instruments = build_instruments(settings, heard)
    describe = _describe(heard, settings)
    async with open_lines(settings, instruments.telemetry) as lines:
        if settings.oauth:
            serving = serve_many(settings, lines, site, describe, note, migrates=migrates)
        else:
            serving = serve_one(settings, lines, site, describe, note)
        async with serving as served:
            yield _build(settings, served, lines, heard, instruments)


def _build(settings: Settings, served: Served, lines: Lines, heard: Heard, instruments: Instruments) -> Bot:
    app = build_app(served.client, served.admit, heard, served.gone)
    token = settings.slack_app_token.get_secret_value()
    socket = Socket(app, served.client, lines.slack, token, heard) if settings.socket_mode else None
    page = None if settings.metrics_apart else instruments.page.metrics
    signature = None if socket else Signature(settings.slack_signing_secret.get_secret_value())
    application = build_web(app, _readiness(served, socket, heard, instruments).look, heard, page, signature)
    application.on_response_prepare.append(instruments.page.count)
    if served.pages is not None:
        served.pages.add_to(application)
    return Bot(served, app, application, heard, instruments, socket)


def settle() -> None:
    """Have the garbage collector leave alone what is there by now: it stays as long as the process. For whoever serves nothing
    else in this process.

    To look through it took the event loop 80 ms again and again: with 64 at a time the 99th percentile of the answers to Slack
    was 94 ms, and is 13 ms.
    """
    gc.collect()
    gc.freeze()


@contextlib.asynccontextmanager
async def running(bot: Bot, settings: Settings) -> AsyncIterator[int]:
    """Serve until left: first the doors are shut, then what came through them is finished. Yields the port."""
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(
            watching(bot.instruments, partial(_watched, bot.served), bot.served.troubled, settings)
        )
        await stack.enter_async_context(bot.served.at_work())
        port = await stack.enter_async_context(open_port(bot.web, settings.host, settings.port))
        if bot.socket is not None:
            await stack.enter_async_context(_listening(bot.socket, bot.instruments.telemetry))
        yield port.number


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


def _describe(heard: Heard, settings: Settings) -> Describe:
    """What this process says of itself at a moment of the database's clock."""
    name, host, began = uuid.uuid4().hex, network.gethostname()[:255], datetime.now(UTC)

    def describe(now: datetime) -> Replica:
        ahead = now - datetime.now(UTC)
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


def _watched(served: Served) -> dict[str, Watched]:
    return {name: _watched_one(workspace) for name, workspace in served.open().items()}


def _watched_one(workspace: Workspace) -> Watched:
    witnesses = list(workspace.witnesses)
    return Watched(workspace.store, [*witnesses, CHANNEL] if workspace.settings.audit_channel else witnesses)


def _readiness(served: Served, socket: Socket | None, heard: Heard, instruments: Instruments) -> Readiness:
    telemetry = instruments.telemetry
    checks: dict[str, Check] = {**served.checks, "loops": partial(loops_go_round, telemetry.down, telemetry.turned)}
    if socket is not None:
        checks["socket"] = partial(heard_on, socket)

    def informs() -> dict[str, Any]:
        """What is merely good to know: nobody is served less for it."""
        compared, asked = telemetry.turned.get("definitions"), heard.request_at
        ages = {
            "last request": None if asked is None else round((datetime.now(UTC) - asked).total_seconds()),
            "definitions compared": None if compared is None else round(time.monotonic() - compared),
        }
        found: dict[str, Any] = {"seconds since": ages}
        if unserved := served.troubled().unserved:
            found["attention"] = f"{unserved} workspace(s) can't be served: workflow-bot doctor says why"
        return found

    return Readiness(checks, informs)
