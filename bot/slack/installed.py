"""Whose installation a request is about, and when Slack says that one is gone. Pure: a payload in, ids out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext

from bot.domain.installations import Installation, is_workspace_id
from bot.slack.directory import Identity
from bot.slack.ids import GONE

SECOND = timedelta(seconds=1)
LATEST = 2**35  # seconds since 1970 that are still a moment


@dataclass(frozen=True, slots=True)
class Departure:
    """An installation is gone. `second`: the whole second in which, which is all that Slack tells; None: not even that."""

    workspace_id: str
    how: str
    second: datetime | None

    @property
    def before(self) -> datetime | None:
        """One that was made after this is not meant: Slack may repeat an event after minutes."""
        return None if self.second is None else self.second + SECOND

    def may_mean_one_before(self, installation: Installation) -> bool:
        """Whether the installation was made in that very second, so before or after somebody left."""
        return self.second is not None and self.second <= installation.installed_at <= self.second + SECOND


def installed_in(context: AsyncBoltContext) -> str | None:
    """The organisation's id where all of it has the bot, else the team's, as Bolt reads it from the payload; None for what
    is no such id.

    An organisation's installation and one of its teams' are never taken for each other.
    """
    team_id, enterprise_id = str(context.team_id or ""), str(context.enterprise_id or "")
    found = (enterprise_id or team_id) if context.is_enterprise_install else team_id
    kind = "E" if context.is_enterprise_install else "T"
    return found if is_workspace_id(found) and found.startswith(kind) else None


def departure(body: Mapping[str, Any]) -> Departure | None:
    """What `app_uninstalled` and `tokens_revoked` tell, which come in any order; None where it isn't about a bot's token.

    One team's leaving is not its organisation's: that is meant where no team is named.
    """
    event, (uninstalled, _) = _object(body.get("event")), GONE
    if event.get("type") != uninstalled and not _object(event.get("tokens")).get("bot"):
        return None  # a person's token, of which the bot has none
    team_id, enterprise_id = str(body.get("team_id") or ""), str(body.get("enterprise_id") or "")
    workspace_id = team_id or enterprise_id
    if not is_workspace_id(workspace_id):
        return None
    how = "uninstalled in Slack" if event.get("type") == uninstalled else "its token was revoked in Slack"
    moment = body.get("event_time")
    second = None
    if isinstance(moment, int) and 0 < moment < LATEST:
        second = datetime.fromtimestamp(moment, UTC)
    return Departure(workspace_id, how, second)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def identity(installation: Installation) -> Identity:
    """Who the bot is there."""
    return Identity(
        team_id=installation.team_id,
        enterprise_id=installation.enterprise_id or None,
        bot_user_id=installation.bot_user_id,
        bot_id=installation.bot_id or None,
        team_name=installation.name,
    )
