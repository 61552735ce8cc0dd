"""The `approval` of a rule: who has to approve, how many of them, and until when."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.approvals import Quorum, Requirement, can_be_given
from bot.domain.policy import EVERYONE
from bot.policy_file.people import subjects_named
from bot.policy_file.reader import Place, PolicySource
from bot.policy_file.schema import ApprovalFields, seconds


def compile_approval(
    source: PolicySource, index: int, fields: ApprovalFields, allowed: list[str], problems: list[str]
) -> Requirement:
    """What the rule asks for of those it allows, by their ids; a line in `problems` for each error."""
    before = len(problems)
    place: Place = ("rules", index, "approval", "from")
    named = [[name] for name in fields.from_] if fields.each else [fields.from_]
    quorums = tuple(_quorum(source, place, names, fields.count, problems) for names in named)
    escalate = fields.escalate
    up = ("rules", index, "approval", "escalate", "to")
    asked = Requirement(
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
    if len(problems) == before and (says := _never(asked, allowed)):
        problems.append(source.error(place, says))
    return asked


def _never(asked: Requirement, allowed: list[str]) -> str:
    """Why nobody could ever give this approval; empty where they can."""
    if not can_be_given(asked):
        return "too few different people are named here: each of them counts for one"
    stuck = [one for one in allowed if one.startswith(("U", "W")) and not can_be_given(asked, one)]
    if not stuck:
        return ""
    return (
        f"too few people are left to approve what {' or '.join(stuck)} asks for, as nobody reviews their own: name more"
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
