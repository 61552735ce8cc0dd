"""The `approval` of a rule: who has to approve, how many of them, and until when."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.approvals import Quorum, Requirement
from bot.domain.policy import EVERYONE
from bot.policy_file.people import subjects_named
from bot.policy_file.reader import Place, PolicySource
from bot.policy_file.schema import ApprovalFields, seconds


def compile_approval(source: PolicySource, index: int, fields: ApprovalFields, problems: list[str]) -> Requirement:
    """What the rule asks for; a line in `problems` for each error."""
    place: Place = ("rules", index, "approval", "from")
    named = [[name] for name in fields.from_] if fields.each else [fields.from_]
    quorums = tuple(_quorum(source, place, names, fields.count, problems) for names in named)
    escalate = fields.escalate
    up = ("rules", index, "approval", "escalate", "to")
    return Requirement(
        quorums=quorums,
        expires=_span(fields.expires),
        remind=_span(fields.remind) if fields.remind else _span(fields.expires) / 2,
        channel=fields.channel or "",
        escalate_after=_span(escalate.after) if escalate else None,
        escalate_to=_quorum(source, up, escalate.to, 1, problems) if escalate else None,
        own=fields.include_requester,
        step_up=fields.step_up,
        break_glass=_span(fields.break_glass) if fields.break_glass else None,
    )


def _quorum(source: PolicySource, place: Place, names: list[str], count: int, problems: list[str]) -> Quorum:
    subjects = subjects_named(source, place, names, problems)
    people = [subject for subject in subjects if subject.startswith(("U", "W"))]
    if subjects and len(people) == len(subjects) < count:
        says = f"{count} different people have to approve, and these are only {len(people)}"
        problems.append(source.error(place, says))
    words = " or ".join("everyone else" if name == EVERYONE else name for name in dict.fromkeys(names))
    return Quorum(words, tuple(subjects), count)


def _span(duration: str) -> timedelta:
    return timedelta(seconds=seconds(duration))
