"""What somebody looks for in the trail: by person, workflow, run, act, time and outcome; all of them have to fit."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from bot.domain.audit import Act

DENIALS = tuple(act for act in Act if act.value.endswith("denied"))
# An outcome by the acts that tell of it; of `ended` the state tells which.
OUTCOMES: Mapping[str, tuple[Act, ...]] = {
    "succeeded": (Act.ENDED,),
    "failed": (Act.ENDED,),
    "cancelled": (Act.ENDED,),
    "not started": (Act.LAUNCH_REFUSED,),
    "unknown": (Act.UNKNOWN,),
    "denied": DENIALS,
}


class InvalidFilter(ValueError):
    """What was given can't be looked for; the message says what can."""


@dataclass(frozen=True, slots=True)
class TrailFilter:
    """None: whatever it is. `until` is not included. Raises InvalidFilter for an act or an outcome that there is none of."""

    user: str | None = None
    workflow: str | None = None
    run: str | None = None
    act: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    outcome: str | None = None

    def __post_init__(self) -> None:
        _check("act", self.act, [act.value for act in Act])
        _check("outcome", self.outcome, list(OUTCOMES))

    @property
    def acts(self) -> tuple[str, ...] | None:
        """The acts that may fit; None: any."""
        by_outcome = [act.value for act in OUTCOMES[self.outcome]] if self.outcome else None
        if self.act is None:
            return None if by_outcome is None else tuple(by_outcome)
        return (self.act,) if by_outcome is None or self.act in by_outcome else ()

    def fits(self, body: Mapping[str, Any]) -> bool:
        """Whether what only the record itself tells fits too."""
        return body.get("act") != Act.ENDED or self.outcome is None or body.get("state") == self.outcome

    def told(self) -> dict[str, str]:
        """What is looked for, as the trail tells that somebody did."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else str(value)
            for name, value in given.items()
            if value is not None
        }


def read_filter(given: Mapping[str, str | None]) -> TrailFilter:
    """What was typed, by the names of the fields. Raises InvalidFilter."""
    names = [field.name for field in fields(TrailFilter)]
    for name in given:
        _check("filter", name, names)
    text = {name: (given.get(name) or "").strip() or None for name in names}
    return TrailFilter(
        user=text["user"],
        workflow=text["workflow"],
        run=text["run"].upper() if text["run"] else None,
        act=text["act"],
        since=read_moment(text["since"]) if text["since"] else None,
        until=read_moment(text["until"]) if text["until"] else None,
        outcome=text["outcome"],
    )


def read_moment(text: str) -> datetime:
    """`2026-01-31` (midnight, UTC) or `2026-01-31T18:00+01:00`. Raises InvalidFilter."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidFilter(f"“{text[:40]}” is no moment. Write 2026-01-31, or 2026-01-31T18:00+01:00.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _check(name: str, given: str | None, known: list[str]) -> None:
    if given is None or given in known:
        return
    near = difflib.get_close_matches(given, known, n=1)
    hint = f"Did you mean “{near[0]}”?" if near else f"Known: {', '.join(known)}."
    raise InvalidFilter(f"“{given[:40]}” is no {name} that the trail knows. {hint}")
