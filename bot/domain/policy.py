"""Whether a person may run a workflow here with these values. Pure: the picker, the form and the submit ask this alone.

Default deny; a deny wins over any allow; person and channel must both be allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.domain.accounts import Account
from bot.domain.catalogue import CatalogueEntry
from bot.domain.inputs import BOOLEANS, same
from bot.domain.workflows import InputType

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
    UNFIT = "changed in Datadog"
    FROZEN = "frozen"
    LOCKED = "locked"
    AT_ONCE = "too many at once"
    COOL_DOWN = "cooling down"
    PER_PERSON = "too many by this person"


@dataclass(frozen=True, slots=True)
class Grant:
    """One permission row: a rule of the policy, for one subject, one target and one channel.

    `subject` is a Slack user or user group id or `*`; `target` a workflow's name, `tag:…` or `*`; `channel` an id or `*`.
    `when` maps an input to the values it may have for this row to count. `rule` is the rule's number in the file, from 1;
    0 for a grant given in Slack or on the command line, which may end (`until`). `words` is the rule as a person says it.
    """

    effect: Effect
    subject: str
    target: str
    channel: str = EVERYWHERE
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    rule: int = 0
    words: str = ""
    until: datetime | None = None
    id: int | None = None

    @property
    def from_file(self) -> bool:
        return self.rule > 0


@dataclass(frozen=True, slots=True)
class Freeze:
    """A period in which nothing that `targets` name may start."""

    targets: tuple[str, ...]
    begins: datetime
    ends: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that a policy file means: what is in force after it has been applied."""

    entries: tuple[CatalogueEntry, ...] = ()
    grants: tuple[Grant, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    accounts: tuple[Account, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Allow or deny, with the reason, the rule that decided (0: none) and what would do instead.

    `channels` and `when` are those of the rules that allow it elsewhere, or with other values. `words` are the deciding
    rule's, or the obstacle's; `free_at` is when an obstacle is over, where that is known.
    """

    verdict: Verdict
    reason: Reason
    rule: int = 0
    words: str = ""
    channels: tuple[str, ...] = ()
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    free_at: datetime | None = None

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
            return Decision(Verdict.DENY, Reason.DENIED_BY_RULE, grant.rule, grant.words)
    allows = [grant for grant in mine if grant.effect is Effect.ALLOW]
    here = [grant for grant in allows if _here(grant, channel)]
    for grant in here:
        if values is None or _with_values(grant, values):
            return Decision(Verdict.ALLOW, Reason.ALLOWED_BY_RULE, grant.rule, grant.words)
    if here:
        return Decision(Verdict.DENY, Reason.NOT_WITH_THESE_VALUES, here[0].rule, here[0].words, when=here[0].when)
    if allows:
        elsewhere = tuple(dict.fromkeys(grant.channel for grant in allows))
        return Decision(Verdict.DENY, Reason.NOT_IN_THIS_CHANNEL, allows[0].rule, allows[0].words, channels=elsewhere)
    return Decision(Verdict.DENY, Reason.NO_RULE)


def offered(
    grants: Iterable[Grant], subjects: frozenset[str], entry: CatalogueEntry, channel: str, name: str, value: Any
) -> bool:
    """Whether the person can choose `value` for the input `name` at all: some rule lets them run the workflow with it,
    whatever the other inputs are, and none denies it for itself."""
    mine = [g for g in grants if g.subject in subjects and g.target in entry.targets and _here(g, channel)]
    for grant in mine:
        if grant.effect is Effect.DENY and set(grant.when) <= {name} and _touches(grant, {name: value}):
            return False
    items = _items(value)
    return any(
        grant.effect is Effect.ALLOW
        and (name not in grant.when or all(_among(item, grant.when[name]) for item in items))
        for grant in mine
    )


def narrowed(grants: Iterable[Grant], subjects: frozenset[str], entry: CatalogueEntry, channel: str) -> CatalogueEntry:
    """The entry with the options that the person can choose here: what may not be chosen isn't offered.

    Where no option is left the field stays as it is: the submit says why, which an empty list could not.
    """
    known = list(grants)
    inputs = []
    for one in entry.inputs:
        options = one.options or (BOOLEANS if one.type is InputType.BOOLEAN else ())
        left = tuple(option for option in options if offered(known, subjects, entry, channel, one.name, option.value))
        inputs.append(replace(one, options=left) if left and left != options else one)
    return replace(entry, inputs=tuple(inputs))


def feasible(grants: Iterable[Grant], subjects: frozenset[str], entry: CatalogueEntry, channel: str) -> bool:
    """Whether the person can run the workflow here with some values: what the picker offers, a submit can accept."""
    known = list(grants)
    if not decide(known, subjects, entry, channel, None).allowed:
        return False
    return all(
        one.extra or any(offered(known, subjects, entry, channel, one.name, option.value) for option in one.options)
        for one in entry.inputs
        if one.options
    )


def frozen(freezes: Iterable[Freeze], entry: CatalogueEntry, now: datetime) -> Freeze | None:
    """The freeze that keeps the workflow from starting now, the one that lasts longest."""
    holding = [f for f in freezes if set(f.targets) & set(entry.targets) and f.begins <= now < f.ends]
    return max(holding, key=lambda freeze: freeze.ends, default=None)


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
