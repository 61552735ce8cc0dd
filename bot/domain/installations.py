"""A workspace, or a whole organisation, that has installed the bot through OAuth, and what is known of its token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

WORKSPACE_ID = re.compile(r"[TE][A-Z0-9]{2,20}")  # a team's id, or an Enterprise organisation's

# Tokens that expire live 12 hours (Slack docs: authentication/using-token-rotation).
REFRESH_BEFORE = timedelta(hours=2)
NEAR_THE_END = timedelta(hours=1)  # then it is told that refreshing has failed


def is_workspace_id(text: str) -> bool:
    """Whether the text can be the id of a workspace or an organisation. It becomes part of names, so nothing else may."""
    return WORKSPACE_ID.fullmatch(text) is not None


def insist_on_id(text: str) -> str:
    """The id itself. Raises ValueError for anything else."""
    if not is_workspace_id(text):
        raise ValueError(f"“{text[:40]}” is not the id of a workspace (T…) or an organisation (E…).")
    return text


@dataclass(frozen=True, slots=True)
class Troubled:
    """How many workspaces have the bot and can't be served, and how many tokens are to be exchanged and were not."""

    unserved: int = 0
    unrefreshed: int = 0


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation. `id` is the team's id or, for one of a whole organisation, the enterprise's.

    `token` and `refresh_token` are sealed, and empty once it is removed. `version` grows with each change, so that whoever
    has it open sees that there is something new. `trouble` is why it can't be served, its token not be refreshed, or how it
    was removed.
    """

    id: str
    team_id: str
    enterprise_id: str
    name: str
    app_id: str
    bot_user_id: str
    bot_id: str
    scopes: str
    token: str
    refresh_token: str
    expires_at: datetime | None
    installed_at: datetime
    installed_by: str
    removed_at: datetime | None = None
    version: int = 0
    trouble: str = ""

    @property
    def is_installed(self) -> bool:
        return self.removed_at is None

    def wants_refresh(self, now: datetime) -> bool:
        """Whether its token is near enough to its end to be exchanged for a new one."""
        return self.is_installed and self.expires_at is not None and self.expires_at - now < REFRESH_BEFORE

    def is_near_its_end(self, now: datetime) -> bool:
        """Whether its token ends so soon that refreshing must have failed."""
        return self.is_installed and self.expires_at is not None and self.expires_at - now < NEAR_THE_END
