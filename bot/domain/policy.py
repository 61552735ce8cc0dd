"""Whether a person may run a workflow here with these values. Pure: the picker, the form and the submit ask this alone.

Default deny; a deny wins over any allow; person and channel must both be allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.domain.accounts import Account
from bot.domain.approvals import Requirement
from bot.domain.catalogue import CatalogueEntry, Ruled
from bot.domain.inputs import BOOLEANS, Input, InvalidInput, same
from bot.domain.workflows import AllowedValue, InputType

EVERYONE = "*"
EVERYWHERE = "*"
SEARCH_LIMIT = 2000  # steps; a person waits for the picker
_OTHER = object()  # equal to nothing that a rule can name


class Effect(StrEnum):
    """What a rule does."""

    ALLOW = "allow"
    DENY = "deny"


class Verdict(StrEnum):
    """What comes of all rules together."""

    ALLOW = "allow"
    DENY = "deny"
    NEEDS_APPROVAL = "needs approval"


class Reason(StrEnum):
    """Why a decision came out as it did; the audit trail keeps these words."""

    ALLOWED_BY_RULE = "allowed by rule"
    NEEDS_APPROVAL = "needs approval"
    DENIED_BY_RULE = "denied by rule"
    NO_RULE = "no rule allows it"
    NOT_IN_THIS_CHANNEL = "not allowed in this channel"
    NOT_WITH_THESE_VALUES = "not allowed with these values"
    NOT_IN_CATALOGUE = "not in the catalogue"
    NOT_A_MEMBER = "not a full member of the workspace"
    NO_BREAK_GLASS = "can't be started without approval"
    APPROVAL_CHANGED = "another approval is asked for now"
    UNFIT = "changed in Datadog"
    OUTDATED = "the form was drawn from an older definition"
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
    `approval` is what has to be answered before a run that only this row allows starts.
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
    approval: Requirement | None = None

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
    """Allow, needs approval or deny, with the reason, the rule that decided (0: none) and what would do instead.

    `channels` and `when` are those of the rules that allow it elsewhere, or with other values. `words` are the deciding
    rule's, or the obstacle's; `free_at` is when an obstacle is over, where that is known. `glass` is the rule by which the
    person may start it without the approval, of those that fit.
    """

    verdict: Verdict
    reason: Reason
    rule: int = 0
    words: str = ""
    channels: tuple[str, ...] = ()
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    free_at: datetime | None = None
    approval: Requirement | None = None
    glass: Grant | None = None

    @property
    def allowed(self) -> bool:
        """Whether the person may ask for it: it starts at once, or after the approval that `approval` asks for."""
        return self.verdict is not Verdict.DENY


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
    fitting = [grant for grant in here if values is None or _with_values(grant, values)]
    if fitting:
        return _permit(fitting)
    if here:
        return Decision(Verdict.DENY, Reason.NOT_WITH_THESE_VALUES, here[0].rule, here[0].words, when=here[0].when)
    if allows:
        elsewhere = tuple(dict.fromkeys(grant.channel for grant in allows))
        return Decision(Verdict.DENY, Reason.NOT_IN_THIS_CHANNEL, allows[0].rule, allows[0].words, channels=elsewhere)
    return Decision(Verdict.DENY, Reason.NO_RULE)


def _permit(fitting: Sequence[Grant]) -> Decision:
    grant = min(fitting, key=_demands)
    if grant.approval is None:
        return Decision(Verdict.ALLOW, Reason.ALLOWED_BY_RULE, grant.rule, grant.words)
    breaking = [one for one in fitting if one.approval is not None and one.approval.break_glass is not None]
    return Decision(
        Verdict.NEEDS_APPROVAL,
        Reason.NEEDS_APPROVAL,
        grant.rule,
        grant.words,
        when=grant.when,
        approval=grant.approval,
        glass=min(breaking, key=_demands, default=None),
    )


def _demands(grant: Grant) -> tuple[int, bool, int]:
    """How much a rule demands, and its number. The one that demands least decides, so that one more allow never allows
    less; of those that demand the same, the first in the file."""
    asked = grant.approval
    return (0, False, grant.rule) if asked is None else (asked.count, asked.step_up, grant.rule)


def approvals_possible(
    grants: Iterable[Grant], subjects: frozenset[str], entry: CatalogueEntry, channel: str
) -> tuple[Grant, ...]:
    """The rules by which the person may need approval here, with the values they are about: what a form says beforehand."""
    mine = [g for g in _mine(grants, subjects, entry, channel) if g.effect is Effect.ALLOW]
    if any(grant.approval is None and not grant.when for grant in mine):
        return ()
    asking = {(grant.rule, repr(grant.approval)): grant for grant in mine if grant.approval is not None}
    return tuple(asking.values())  # one for each rule, however many of its subjects the person is


def narrowed(grants: Iterable[Grant], subjects: frozenset[str], entry: CatalogueEntry, channel: str) -> CatalogueEntry:
    """The entry with the options that the person can choose here: what may not be chosen isn't offered.

    Where no option is left the field stays as it is: the submit says why, which an empty list could not.
    """
    mine = _mine(grants, subjects, entry, channel)
    named = {name for grant in mine for name in grant.when}
    inputs = []
    for one in entry.inputs:
        options = _choices(one) if one.name in named else ()
        left = tuple(option for option in options if _possible(mine, entry, {one.name: option.value}))
        inputs.append(replace(one, options=left) if left and left != options else one)
    return replace(entry, inputs=tuple(inputs))


def feasible(
    grants: Iterable[Grant],
    subjects: frozenset[str],
    entry: Ruled,
    channel: str,
    chosen: Mapping[str, Any] | None = None,
) -> bool:
    """Whether some values, `chosen` among them, would be accepted here: what the picker offers, a submit can accept."""
    return _possible(_mine(grants, subjects, entry, channel), entry, chosen or {})


def _mine(grants: Iterable[Grant], subjects: frozenset[str], entry: Ruled, channel: str) -> list[Grant]:
    targets = entry.targets
    return [g for g in grants if g.target in targets and g.subject in subjects and _here(g, channel)]


def _possible(mine: Sequence[Grant], entry: Ruled, chosen: Mapping[str, Any]) -> bool:
    """Whether `decide` accepts some values of which `chosen` are part."""
    denies = [grant for grant in mine if grant.effect is Effect.DENY]
    if any(not grant.when for grant in denies):
        return False
    return any(_avoidable(denies, allow, entry, chosen) for allow in mine if allow.effect is Effect.ALLOW)


def _avoidable(denies: Sequence[Grant], allow: Grant, entry: Ruled, chosen: Mapping[str, Any]) -> bool:
    """Whether values that `allow` allows can stay clear of every deny: of each, one condition has to fail.

    Asked in full this is satisfiability, so the search ends somewhere: beyond it the workflow is offered, and the submit
    decides as always.
    """
    names = {*allow.when, *(name for deny in denies for name in deny.when)}
    candidates = {name: _candidates(entry.input(name), allow.when.get(name), name, chosen) for name in names}
    if not all(candidates.values()):
        return False
    waiting = [candidates]
    for _ in range(SEARCH_LIMIT):
        if not waiting:
            return False
        left = waiting.pop()
        met = next((deny for deny in denies if _may_touch(deny, left)), None)
        if met is None:
            return True
        for name, wanted in met.when.items():
            others = [item for item in left[name] if not _among(item, wanted)]
            if others:
                waiting.append({**left, name: others})
    return True


def _candidates(
    field: Input | None, allowed: tuple[Any, ...] | None, name: str, chosen: Mapping[str, Any]
) -> list[Any]:
    """The single items that an input may hold so that a deny could tell them apart; `_OTHER` is any that no rule names.

    Of a list one item is enough: more of them never make a deny apply less or an allow more.
    """
    if field is None:
        return [None] if allowed is None or _among(None, allowed) else []
    if name in chosen:
        known = [chosen[name]]
    elif _choices(field) and not field.extra:
        known = [option.value for option in _choices(field)]
    else:
        known = list(allowed or ())
    if allowed is not None:
        return [item for item in known if _among(item, allowed) and _can_hold(field, item)]
    free = name not in chosen and (field.is_list or field.extra or not _choices(field))
    return [_OTHER] if free else known


def _can_hold(field: Input, item: Any) -> bool:
    try:
        field.checked([item] if field.is_list else item)
    except InvalidInput:
        return False
    return True


def _choices(field: Input) -> tuple[AllowedValue, ...]:
    return field.options or (BOOLEANS if field.type is InputType.BOOLEAN else ())


def _may_touch(deny: Grant, candidates: Mapping[str, list[Any]]) -> bool:
    return all(any(_among(item, wanted) for item in candidates[name]) for name, wanted in deny.when.items())


def may_all(
    grants: Iterable[Grant], subjects: frozenset[str], entry: CatalogueEntry, channel: str, when: Mapping[str, Any]
) -> bool:
    """Whether the person may run the workflow here with every set of values that `when` is part of: what they may lock."""
    mine = _mine(grants, subjects, entry, channel)
    denied = any(
        all(_touches(replace(grant, when={name: wanted}), when) for name, wanted in grant.when.items() if name in when)
        for grant in mine
        if grant.effect is Effect.DENY
    )
    return not denied and any(grant.effect is Effect.ALLOW and _with_values(grant, when) for grant in mine)


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
