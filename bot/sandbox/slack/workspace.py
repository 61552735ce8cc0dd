"""The local Slack's memory: one team, its people, channels, user groups and views, and the installed app.

Knows who and what is there and tells watchers of changes. Decides nothing about what Slack would refuse.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bot.sandbox.slack.records import Channel, Json, Member, Message, Surface, UserGroup, View

T = TypeVar("T")

DEFAULT_SCOPES = (
    "app_mentions:read",
    "channels:read",
    "groups:read",
    "chat:write",
    "chat:write.public",
    "commands",
    "files:write",
    "im:history",
    "im:write",
    "usergroups:read",
    "users:read",
)


class Workspace:
    """Everything that is so in the local Slack. `violations` lists each limit of Slack that the bot broke."""

    def __init__(self) -> None:
        self.team_id = "T01LOCAL"
        self.team_name = "Local Slack"
        self.team_domain = "local"
        self.enterprise_id: str | None = None
        self.is_enterprise_install = False  # whether the whole organisation has the app, and not this team by itself
        self.app_id = "A01LOCAL"
        self.bot_id = "B01WORKFLOW"
        self.bot_user_id = "U01WORKFLOWBOT"
        self.base_url = ""
        self.command = "/workflow"
        self.home_tab = True  # whether the app shows a Home, as its manifest says
        self.should_escape = True
        self.scopes: set[str] = set(DEFAULT_SCOPES)
        self.app_token_scopes = {"connections:write"}
        self.members: dict[str, Member] = {}
        self.channels: dict[str, Channel] = {}
        self.groups: dict[str, UserGroup] = {}
        self.views: dict[str, View] = {}
        self.modals: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}
        self.files: dict[str, Json] = {}
        self.errors: dict[str, list[str]] = {}
        self.violations: list[str] = []
        self._watchers: set[asyncio.Event] = set()
        self._numbers = itertools.count(1)
        self._last_ts = 0
        self.members[self.bot_user_id] = Member(self.bot_user_id, "workflow-bot", self.team_id, is_bot=True)

    def violate(self, what: str) -> None:
        """Record that a limit or rule of Slack was broken."""
        self.violations.append(what)

    def tell(self, user_id: str, error: str) -> None:
        """Show a person an error of Slack's own (a time-out, a failed command)."""
        self.errors.setdefault(user_id, []).append(error)
        self.changed()

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{next(self._numbers):04d}{secrets.token_hex(3).upper()}"

    def new_ts(self) -> str:
        """A message timestamp: unix seconds with six digits, never given twice."""
        self._last_ts = max(self._last_ts + 1, int(time.time() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def new_hash(self) -> str:
        return f"{int(time.time())}.{secrets.token_hex(4)}"

    def direct_message(self, user_id: str) -> Channel:
        """The conversation between the bot and a person, made when first asked for."""
        channel_id = "D" + user_id[1:]
        if channel_id not in self.channels:
            self.channels[channel_id] = Channel(channel_id, "directmessage", is_private=True, im_user=user_id)
        return self.channels[channel_id]

    def add_message(self, message: Message) -> Message:
        self.channels[message.channel].messages.append(message)
        self.changed()
        return message

    def message(self, channel_id: str, ts: str) -> Message | None:
        channel = self.channels.get(channel_id)
        return next((m for m in channel.messages if m.ts == ts), None) if channel else None

    def visible_messages(self, channel_id: str, user_id: str) -> list[Message]:
        """A channel's messages as one person sees them: others' ephemeral ones are left out."""
        return [m for m in self.channels[channel_id].messages if m.ephemeral_to in (None, user_id)]

    def stack(self, user_id: str) -> list[View]:
        """The person's open modals, bottom to top."""
        return self.modals.setdefault(user_id, [])

    def view_payload(self, view: View) -> Json:
        """A view as Slack's payloads and answers carry it, with its state."""
        empty: Json = {"callback_id": "", "private_metadata": "", "external_id": "", "title": None, "submit": None}
        flags: Json = {"close": None, "clear_on_close": False, "notify_on_close": False}
        return (
            empty
            | flags
            | view.definition
            | {
                "id": view.id,
                "team_id": self.team_id,
                "app_id": self.app_id,
                "app_installed_team_id": self.enterprise_id if self.is_enterprise_install else self.team_id,
                "bot_id": self.bot_id,
                "hash": view.hash,
                "root_view_id": view.root_id,
                "previous_view_id": view.previous_id,
                "state": {"values": view.values},
            }
        )

    def surface_of(self, user_id: str, view_id: str | None, channel_id: str | None, ts: str | None) -> Surface | None:
        """The open view or the visible message that holds a control, or None."""
        if view_id:
            view = self.views.get(view_id)
            return view if view and view.is_open and view.user == user_id else None
        message = self.message(channel_id or "", ts or "")
        return message if message and message.ephemeral_to in (None, user_id) else None

    def changed(self) -> None:
        """Wake everybody who waits for something to happen."""
        for watcher in self._watchers:
            watcher.set()

    @contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """An event that is set after each change; the watcher clears it."""
        watcher = asyncio.Event()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def wait_for(self, look: Callable[[], T | None], timeout: float, what: str) -> T:
        """Wait until `look` finds something.

        Raises:
            TimeoutError: it didn't within `timeout` seconds; says what was waited for and the violations so far.
        """
        with self.watch() as watcher:
            try:
                async with asyncio.timeout(timeout):
                    while (found := look()) is None:
                        await watcher.wait()
                        watcher.clear()
                    return found
            except TimeoutError:
                raise TimeoutError(
                    f"{what} did not come in {timeout} s; violations: {self.violations}; errors: {self.errors}"
                ) from None
