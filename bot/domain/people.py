"""Who acts: an actor is keyed by (team or enterprise id, user id); names are for reading, never for deciding."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a person is to the workspace. Source: Slack docs, reference/objects/user-object."""

    MEMBER = "member"
    GUEST = "guest"
    EXTERNAL = "external"
    BOT = "bot"
    DEACTIVATED = "deactivated"


# Deactivated people can never be let in: Slack itself has taken their access away.
ADMISSIBLE = frozenset({Kind.GUEST, Kind.EXTERNAL, Kind.BOT})


@dataclass(frozen=True, slots=True)
class Actor:
    """The person who acts. `team_id` is the team's, or the enterprise's, id."""

    team_id: str
    user_id: str
    name: str = ""
    kind: Kind = Kind.MEMBER

    def may_act(self, admitted: frozenset[Kind]) -> bool:
        """True for a full member of the workspace, and for kinds that a setting lets in."""
        return self.kind is Kind.MEMBER or (self.kind in ADMISSIBLE and self.kind in admitted)
