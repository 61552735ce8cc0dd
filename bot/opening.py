"""Opens one installed workspace and keeps it until it is to be closed: its database, its token, its trail's first word."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa

from bot.connections import Lines, open_store, settings_of
from bot.datadog.sites import Site
from bot.domain.errors import NotRecorded, UnreadableSecret, WorkflowBotError
from bot.domain.installations import Installation
from bot.domain.replicas import Replica
from bot.observability import SHAPES, hide_in_logs
from bot.settings import Settings
from bot.slack.installed import identity
from bot.storage import migrate
from bot.storage.engine import cause_of
from bot.storage.sealing import FernetSealer
from bot.storage.store import SqlStore
from bot.use_cases.note_installation import note_installation
from bot.use_cases.refresh_token import TOKEN
from bot.workspace import Workspace, at_work, open_workspace

UPGRADE = "its database is not there, or not up to date: its owner has to run `workflow-bot db upgrade`"
NOT_SERVED = "it can't be served"  # the trouble of one that is installed begins with

# What each workspace's trail has to tell before it is served. Raises NotRecorded.
Note = Callable[[SqlStore], Awaitable[None]]

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Opened:
    """One that is open, or being opened, or was not to be opened lately. `ready` holds it, or the error; `again`: an attempt
    before this one has failed."""

    installation: Installation
    again: bool = False
    ready: asyncio.Future[Workspace] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    failed_at: float | None = None

    @property
    def is_served(self) -> bool:
        return self.failed_at is None and self.ready.done() and self.ready.exception() is None

    @property
    def is_in_trouble(self) -> bool:
        """It could not be opened. That it is tried again just now mends nothing yet."""
        return self.failed_at is not None or (self.again and not self.ready.done())


@dataclass(frozen=True, slots=True)
class Opener:
    """What every workspace is opened with. `store` is the main database; `describe` says what this replica is; `migrates`: it
    may bring databases up to date; `note` is written into each trail before it is served."""

    settings: Settings
    store: SqlStore
    sealer: FernetSealer
    lines: Lines
    site: Site | None
    describe: Callable[[datetime], Replica]
    migrates: bool
    note: Note
    # Not the threads that everybody shares, in which names of hosts are looked up: a database that is away takes them long.
    databases: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "workspace-database"))

    async def serve(self, opened: Opened) -> None:
        """Open it, and work until it is to be closed."""
        installation = opened.installation
        try:
            token = self.token(installation)
            settings = settings_of(self.settings, installation.id, token)
            await self._apart(self._prepare, settings.database_url.get_secret_value())
            async with open_workspace(settings, self.lines, self.site, identity(installation)) as workspace:
                await workspace.store.insist_on_keys()
                await note_installation(installation, workspace.store)
                await self.note(workspace.store)
                async with at_work(workspace, self.describe):
                    opened.ready.set_result(workspace)
                    await self.note_trouble(installation, "")
                    log.info("workspace %s (%s) is open", installation.id, installation.name)
                    await opened.closing.wait()
        except WorkflowBotError as error:
            await self._failed(opened, error)
        finally:
            if not opened.ready.done():
                opened.ready.set_exception(NotRecorded())
                opened.ready.exception()

    async def _failed(self, opened: Opened, error: WorkflowBotError) -> None:
        if opened.ready.done():
            raise error
        log.error("workspace %s can't be served: %s", opened.installation.id, error)
        opened.failed_at = asyncio.get_running_loop().time()
        opened.ready.set_exception(error)
        opened.ready.exception()  # it may be that nobody waits for it
        await self.note_trouble(opened.installation, f"{NOT_SERVED}: {error}")

    async def note_trouble(self, installation: Installation, words: str) -> None:
        """Keep why it can't be served; empty: it can."""
        if installation.trouble != words:
            with contextlib.suppress(NotRecorded):  # the log has it
                await self.store.write(lambda tx: tx.note_trouble(installation.id, words))

    def _prepare(self, url: str) -> None:
        """Bring the workspace's database up to date, where this is ours to do. Raises NotRecorded."""
        try:
            current = migrate.revision_at(url)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise NotRecorded(f"its database can't be reached: {cause_of(error)}") from error
        if migrate.is_current(current):
            return
        if current is not None and not self.migrates:  # an empty one is nobody's yet
            raise NotRecorded(UPGRADE)
        try:
            migrate.upgrade(url, roles=migrate.roles_of(self.settings.database_url.get_secret_value()))
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise NotRecorded(f"{UPGRADE} ({cause_of(error)})") from error

    def token(self, installation: Installation) -> str:
        """Raises UnreadableSecret."""
        try:
            token = str(self.sealer.unseal(installation.token)[TOKEN])
        except UnreadableSecret:
            raise UnreadableSecret(
                "its token can't be read, as ENCRYPTION_KEY has changed: put the old one back"
            ) from None
        if not SHAPES.fullmatch(token):  # Slack's are hidden by their shape, and there are new ones twice a day
            hide_in_logs(token)
        return token

    async def tell_removed(self, removed: Installation) -> None:
        """Have its own trail tell of it. Raises NotRecorded where it can't."""
        await tell_removed(self.settings, removed, self._apart)

    async def _apart(self, look: Callable[[str], T], url: str) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.databases, look, url)


async def tell_removed(
    settings: Settings,
    removed: Installation,
    apart: Callable[[Callable[[str], str | None], str], Awaitable[str | None]] = asyncio.to_thread,
) -> None:
    """Have the workspace's own trail tell that the bot was taken out of it; where it has none any more, nothing is told.

    `settings` are those of the process, and `apart` runs in a thread what may take long. Raises NotRecorded.
    """
    own = settings_of(settings, removed.id, "")
    url = own.database_url.get_secret_value()
    try:
        revision = await apart(migrate.revision_at, url)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise NotRecorded(f"its database can't be read ({cause_of(error)}).") from error
    if revision is None:
        return
    if not migrate.is_current(revision):
        raise NotRecorded(UPGRADE)
    async with open_store(own) as store:
        await note_installation(removed, store)
