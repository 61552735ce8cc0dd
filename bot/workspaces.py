"""The workspaces that have installed the bot, each open in this process.

The installations of the main database decide, and are read once for each request: what another replica installs or removes
counts at once. What is open follows them every few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext

from bot.domain.errors import NotRecorded, UnreadableSecret, WorkflowBotError
from bot.domain.installations import Installation, Troubled
from bot.opening import NOT_SERVED, Opened, Opener
from bot.slack.app import Admitted, refusing
from bot.slack.installed import departure, installed_in
from bot.slack.voice import Voice
from bot.storage.store import SqlStore
from bot.use_cases import pace
from bot.use_cases.refresh_token import Exchange, refresh_token
from bot.workspace import Workspace

NOT_INSTALLED = "The bot is not installed in this workspace, so nothing was done. Ask whoever runs it."
AWAY = "The bot can't get at what it knows of this workspace at the moment, so nothing was done. Try again in a moment."
NOT_READY = "The bot is not ready for this workspace yet, so nothing was done. Whoever runs it sees why in `workflow-bot doctor`."
ADMISSION = 1.5  # seconds that finding the workspace may take of Slack's three

# Whether Slack takes a token. Raises SlackUnavailable.
Takes = Callable[[str], Awaitable[bool]]

log = logging.getLogger(__name__)


class Workspaces:
    """Finds, opens and closes them. `store` is the main database."""

    def __init__(self, store: SqlStore, opener: Opener, voice: Voice) -> None:
        self._store = store
        self._opener = opener
        self._open: dict[str, Opened] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        telemetry = opener.lines.telemetry
        self._refusals = {
            words: Admitted(refusing(words, voice, telemetry, for_now=words != NOT_INSTALLED))
            for words in (NOT_INSTALLED, AWAY, NOT_READY)
        }
        self._told: dict[str, int] = {}  # removed installations of which the trail tells, by version
        self._tell_again = 0.0
        self._unrefreshed = 0

    async def admit(self, context: AsyncBoltContext) -> Admitted:
        """Where a request goes. Asks the database once, and nobody else."""
        workspace_id = installed_in(context)
        if workspace_id is None:
            return self._refusals[NOT_INSTALLED]
        try:
            async with asyncio.timeout(ADMISSION):
                return await self._find(workspace_id)
        except (NotRecorded, TimeoutError):
            return self._refusals[AWAY]

    async def _find(self, workspace_id: str) -> Admitted:
        installation = await self._store.read(lambda tx: tx.installation(workspace_id))
        if installation is None or not installation.is_installed:
            log.warning("a request came from %s, where the bot is not installed", workspace_id)
            return self._refusals[NOT_INSTALLED]
        try:
            workspace = await asyncio.shield(self.take(installation).ready)
        except WorkflowBotError:
            return self._refusals[NOT_READY]
        return Admitted(workspace.switchboard, await workspace.directory.me(), workspace.client.token)

    def take(self, installation: Installation) -> Opened:
        """See to it that it is open as it is installed now: at once, or after a pause where it could not be."""
        known = self._open.get(installation.id)
        if known is not None and known.installation.version >= installation.version and not self._may_try_again(known):
            return known
        if known is not None and _is_same_but_for_token(known.installation, installation) and known.failed_at is None:
            if not known.ready.done():
                return known
            with contextlib.suppress(UnreadableSecret):  # then it is opened anew, and that fails in words
                known.ready.result().client.token = self._opener.token(installation)
                known.installation = installation
                return known
        if known is not None:
            known.closing.set()
        opened = self._open[installation.id] = Opened(installation, again=known is not None and known.is_in_trouble)
        task = asyncio.create_task(self._serve(opened), name=f"workspace {installation.id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return opened

    async def follow(self, stopping: asyncio.Event) -> None:
        """Open and close what other replicas, and people on the command line, have installed and removed."""
        while not stopping.is_set():
            before = set(self._open)
            try:
                found = await self._store.read(lambda tx: tx.installations())
                if not stopping.is_set():
                    await self._compare(found, before)
                    await self._tell_of_departures([one for one in found if not one.is_installed])
            except NotRecorded as error:
                log.error("the installed workspaces can't be looked up: %s", error.cause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pace.INSTALLATIONS)

    async def refresh(self, exchange: Exchange, stopping: asyncio.Event) -> None:
        """Exchange tokens that are about to expire for new ones."""
        while not stopping.is_set():
            try:
                due = await self._store.read(lambda tx: [i for i in tx.installations() if i.wants_refresh(tx.now)])
                done = [await refresh_token(one, exchange, self._opener.sealer, self._store) for one in due]
                self._unrefreshed = done.count(False)  # or another replica is at it just now
            except NotRecorded as error:
                log.error("tokens can't be refreshed: %s", error.cause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pace.INSTALLATIONS)

    async def installed(self, installation: Installation) -> str:
        """Open one that has just been installed. Returns why it can't be, or nothing."""
        try:
            await asyncio.shield(self.take(installation).ready)
        except WorkflowBotError as error:
            return str(error)
        return ""

    async def gone(self, takes: Takes, body: Mapping[str, Any]) -> None:
        """Slack says that the app was uninstalled, or its token revoked; the two come in any order.

        Raises NotRecorded, and SlackUnavailable where only Slack could say whether this is meant.
        """
        left = departure(body)
        if left is None:
            return
        known, before = await self._store.read(lambda tx: tx.installation(left.workspace_id)), left.before
        if known is not None and known.is_installed and left.may_mean_one_before(known):
            if await self._is_good(known, takes):
                log.info("workspace %s stays: it came back in the second in which it left", known.id)
                return
            before = known.installed_at
        removed = await self._store.write(lambda tx: tx.remove_installation(left.workspace_id, left.how, before))
        if removed is not None:
            log.warning("workspace %s is removed: %s", removed.id, left.how)
            self._leave(removed.id)
            await self._tell_of_departure(removed)

    async def _is_good(self, known: Installation, takes: Takes) -> bool:
        try:
            return await takes(self._opener.token(known))
        except UnreadableSecret:
            return False  # of no use to anybody

    async def close(self) -> None:
        """Stop all of them, each as a bot stops."""
        for one in self._open.values():
            one.closing.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._opener.databases.shutdown(wait=False)

    def served(self) -> dict[str, Workspace]:
        """Those that are open just now, by id."""
        return {name: one.ready.result() for name, one in self._open.items() if one.is_served}

    def troubled(self) -> Troubled:
        """Where not all is well. Whoever may know why looks into the log, or asks doctor."""
        return Troubled(sum(one.is_in_trouble for one in self._open.values()), self._unrefreshed)

    async def _compare(self, installations: list[Installation], before: set[str]) -> None:
        """`before` were open when the installations were asked for: what was opened since is not in them."""
        here = [one for one in installations if one.is_installed]
        for installation in here:
            if self.take(installation).is_served and installation.trouble.startswith(NOT_SERVED):
                await self._opener.note_trouble(installation, "")  # a replica said so, which may be gone
        for workspace_id in before - {one.id for one in here}:
            self._leave(workspace_id)

    async def _tell_of_departures(self, removed: list[Installation]) -> None:
        """Each in its own trail: also those that were removed on the command line, or while the trail could not be written."""
        now = asyncio.get_running_loop().time()
        untold = [one for one in removed if self._told.get(one.id) != one.version]
        if untold and now >= self._tell_again:
            told = [await self._tell_of_departure(one) for one in untold]
            self._tell_again = 0.0 if all(told) else now + pace.REOPEN

    async def _tell_of_departure(self, removed: Installation) -> bool:
        try:
            await self._opener.tell_removed(removed)
        except WorkflowBotError as error:
            log.error("the trail of workspace %s does not tell yet that it was removed: %s", removed.id, error)
            return False
        self._told[removed.id] = removed.version
        return True

    async def _serve(self, opened: Opened) -> None:
        try:
            await self._opener.serve(opened)
        finally:
            if opened.failed_at is None and self._open.get(opened.installation.id) is opened:
                del self._open[opened.installation.id]  # it has fallen over, and is opened again

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s has fallen over, and is opened again", task.get_name(), exc_info=error)

    def _may_try_again(self, known: Opened) -> bool:
        return known.failed_at is not None and asyncio.get_running_loop().time() - known.failed_at > pace.REOPEN

    def _leave(self, workspace_id: str) -> None:
        known = self._open.pop(workspace_id, None)
        if known is not None:
            known.closing.set()


def _is_same_but_for_token(before: Installation, after: Installation) -> bool:
    token = {name: getattr(after, name) for name in ("token", "refresh_token", "expires_at", "version", "trouble")}
    return replace(before, **token) == after
