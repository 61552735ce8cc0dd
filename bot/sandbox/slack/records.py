"""What the local Slack remembers: people, channels, messages and views, with their JSON as Slack shows it.

Plain records only: no rule about what is allowed, no request, no clock.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Values = dict[str, dict[str, Json]]
"""`view.state.values`: block_id -> action_id -> the element's state."""
Offered = dict[tuple[str, str], list[Json]]
"""Options an external select was last given, by (block_id, action_id)."""


@dataclass
class Member:
    """A person or bot as `users.info` tells of them (Slack docs: reference/objects/user-object)."""

    id: str
    name: str
    team_id: str
    deleted: bool = False
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    foreign: bool = False
    tz: str = "Europe/Amsterdam"
    note: str = ""  # what the sandbox page says of the person; Slack has no such field

    @property
    def handle(self) -> str:
        return self.name.lower().replace(" ", ".")

    def to_json(self) -> Json:
        """The user object; `is_stranger` only where true, as Slack leaves it out otherwise."""
        user: Json = {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.handle,
            "deleted": self.deleted,
            "real_name": self.name,
            "is_bot": self.is_bot,
            "is_app_user": False,
            "updated": 1700000000,
            "profile": {"real_name": self.name, "display_name": self.name, "team": self.team_id},
        }
        if not self.deleted:
            user |= {
                "tz": self.tz,
                "is_admin": False,
                "is_owner": False,
                "is_primary_owner": False,
                "is_restricted": self.is_restricted,
                "is_ultra_restricted": self.is_ultra_restricted,
                "is_email_confirmed": True,
            }
        if self.is_stranger:
            user["is_stranger"] = True
        return user


@dataclass
class UserGroup:
    """A user group (`<!subteam^S…>`)."""

    id: str
    handle: str
    users: list[str]


@dataclass
class Message:
    """A message of a channel; an ephemeral one has `ephemeral_to` and is seen by that person only."""

    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    edited: bool = False
    ephemeral_to: str | None = None
    bot_id: str | None = None
    metadata: Json | None = None
    attachments: list[Json] = field(default_factory=list)
    files: list[Json] = field(default_factory=list)
    reactions: list[tuple[str, str]] = field(default_factory=list)
    values: Values = field(default_factory=dict)
    offered: Offered = field(default_factory=dict)

    def to_json(self) -> Json:
        """The message as Slack's payloads and answers carry it."""
        shown: Json = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text}
        optional = {
            "blocks": self.blocks,
            "thread_ts": self.thread_ts,
            "bot_id": self.bot_id,
            "attachments": self.attachments,
            "files": self.files,
            "metadata": self.metadata,
        }
        shown |= {name: value for name, value in optional.items() if value}
        if self.edited:
            shown["edited"] = {"user": self.user, "ts": self.ts}
        return shown

    def as_seen(self) -> Json:
        """A copy for tests: as `to_json`, with channel, blocks, thread_ts, edited and ephemeral_to always there."""
        always = {name: getattr(self, name) for name in ("channel", "blocks", "thread_ts", "edited", "ephemeral_to")}
        return copy.deepcopy(self.to_json() | always)


@dataclass
class Channel:
    """A conversation: channel, private channel or direct message with the bot (`im_user`)."""

    id: str
    name: str
    members: set[str] | None = None
    is_private: bool = False
    is_ext_shared: bool = False
    is_archived: bool = False
    bot_is_member: bool = True
    im_user: str | None = None
    topic: str = ""
    messages: list[Message] = field(default_factory=list)

    def has(self, user_id: str) -> bool:
        """Whether the person is in it; `members=None` means everybody."""
        return self.im_user == user_id if self.im_user else self.members is None or user_id in self.members

    @property
    def kind(self) -> str:
        """The conversation type as `conversations.list` names it."""
        return "im" if self.im_user else "private_channel" if self.is_private else "public_channel"

    def to_json(self) -> Json:
        """The conversation object (Slack docs: reference/objects/conversation-object)."""
        common: Json = {"id": self.id, "is_archived": self.is_archived, "created": 1700000000}
        if self.im_user:
            return common | {"is_im": True, "user": self.im_user, "is_org_shared": False}
        return common | {
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not self.is_private,
            "is_group": self.is_private,
            "is_im": False,
            "is_mpim": False,
            "is_private": self.is_private,
            "is_member": self.bot_is_member,
            "is_general": False,
            "is_shared": self.is_ext_shared,
            "is_ext_shared": self.is_ext_shared,
            "is_org_shared": False,
            "pending_shared": [],
            "topic": {"value": self.topic, "creator": "", "last_set": 0},
            "purpose": {"value": "", "creator": "", "last_set": 0},
        }


@dataclass
class View:
    """An open modal or a published Home, with what its person has typed so far."""

    id: str
    user: str
    definition: Json
    hash: str
    root_id: str
    previous_id: str | None = None
    values: Values = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    offered: Offered = field(default_factory=dict)
    is_open: bool = True

    @property
    def blocks(self) -> list[Json]:
        blocks: list[Json] = self.definition["blocks"]
        return blocks

    @property
    def callback_id(self) -> str:
        return str(self.definition.get("callback_id", ""))


Surface = View | Message
