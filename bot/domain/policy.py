"""Whether a person may run a workflow here with these values. Pure: the picker, the form and the submit ask this alone.

Default deny; a deny wins over any allow; person and channel must both be allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.domain.catalogue import CatalogueEntry
from bot.domain.inputs import same

EVERYONE = "*"
EVERYWHERE = "*"


class Effect(StrEnum):
    """What a rule does."""

    ALLOW = "allow"
    DENY = "deny"


class Verdict(StrEnum):
    """What comes of all rules together."""

    ALLOW = "allow"
    DENY = "deny"


class Reason(StrEnum):
    """Why a decision came out as it did; the audit trail keeps these words."""

    ALLOWED_BY_RULE = "allowed by rule"
    DENIED_BY_RULE = "denied by rule"
    NO_RULE = "no rule allows it"
    NOT_IN_THIS_CHANNEL = "not allowed in this channel"
    NOT_WITH_THESE_VALUES = "not allowed with these values"
    NOT_IN_CATALOGUE = "not in the catalogue"
    NOT_A_MEMBER = "not a full member of the workspace"


@dataclass(frozen=True, slots=True)
class Grant:
    """One permission row: a rule of the policy, for one subject, one target and one channel.

    `subject` is a Slack user or user group id or `*`; `target` a workflow's name, `tag:…` or `*`; `channel` an id or `*`.
    `when` maps an input to the values it may have for this row to count. `rule` is the rule's number in the file, from 1.
    """

    effect: Effect
    subject: str
    target: str
    channel: str = EVERYWHERE
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    rule: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """Allow or deny, with the reason, the rule that decided (0: none) and, for a wrong place or value, what would do."""

    verdict: Verdict
    reason: Reason
    rule: int = 0
    channels: tuple[str, ...] = ()
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOW


def decide(
    grants: Iterable[Grant],
    subjects: frozenset[str],
    entry: CatalogueEntry,
    channel: str,
    values: Mapping[str, Any] | None,
) -> Decision:
    """The decision for a person known by `subjects` (their user id, their groups, `*`).

    `values` None means "not known yet": a rule bound to values then counts as possible, and never denies.
    """
    mine = [grant for grant in grants if grant.subject in subjects and grant.target in entry.targets]
    denies = [grant for grant in mine if grant.effect is Effect.DENY and _here(grant, channel)]
    for grant in denies:
        if not grant.when or (values is not None and _touches(grant, values)):
            return Decision(Verdict.DENY, Reason.DENIED_BY_RULE, grant.rule)
    allows = [grant for grant in mine if grant.effect is Effect.ALLOW]
    here = [grant for grant in allows if _here(grant, channel)]
    for grant in here:
        if values is None or _with_values(grant, values):
            return Decision(Verdict.ALLOW, Reason.ALLOWED_BY_RULE, grant.rule)
    if here:
        return Decision(Verdict.DENY, Reason.NOT_WITH_THESE_VALUES, here[0].rule, when=here[0].when)
    if allows:
        elsewhere = tuple(dict.fromkeys(grant.channel for grant in allows))
        return Decision(Verdict.DENY, Reason.NOT_IN_THIS_CHANNEL, allows[0].rule, channels=elsewhere)
    return Decision(Verdict.DENY, Reason.NO_RULE)


def _here(grant: Grant, channel: str) -> bool:
    return grant.channel in (EVERYWHERE, channel)


def _with_values(grant: Grant, values: Mapping[str, Any]) -> bool:
    """Every item must be allowed: `hosts: [a, b]` must not pass a rule for `a` by holding `a` too."""
    return all(
        bool(items := _items(values.get(name))) and all(_among(item, wanted) for item in items)
        for name, wanted in grant.when.items()
    )


def _touches(grant: Grant, values: Mapping[str, Any]) -> bool:
    """One denied item is enough: `env: [staging, production]` must not slip past a deny of `production`."""
    return all(any(_among(item, wanted) for item in _items(values.get(name))) for name, wanted in grant.when.items())


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _among(item: Any, wanted: tuple[Any, ...]) -> bool:
    return any(same(item, one) for one in wanted)
