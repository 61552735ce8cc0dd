"""What applying a policy would change, in words: who gains and who loses what, and what becomes of each workflow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.domain.approvals import Quorum, Requirement
from bot.domain.catalogue import CatalogueEntry
from bot.domain.durations import in_words
from bot.domain.inputs import as_text
from bot.domain.policy import EVERYONE, EVERYWHERE, Effect, Freeze, Grant, Policy


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan. `sign` is `+`, `-` or `~`; `subject` is what it is about: workflow, grant or freeze."""

    sign: str
    subject: str
    words: str


def changes(before: Policy, after: Policy) -> list[Change]:
    """What differs, workflows first. Grants that people gave are no part of a file and stay."""
    return [
        *_workflows(before.entries, after.entries),
        *_grants([grant for grant in before.grants if grant.from_file], after.grants),
        *_freezes(before.freezes, after.freezes),
        *_accounts(before, after),
    ]


def _accounts(before: Policy, after: Policy) -> list[Change]:
    old, new = {one.name: one for one in before.accounts}, {one.name: one for one in after.accounts}
    found = [Change("+", "account", f"Datadog account {name} joins") for name in new if name not in old]
    found += [Change("-", "account", f"Datadog account {name} leaves") for name in old if name not in new]
    return found + [
        Change("~", "account", f"Datadog account {name} has another site or other keys")
        for name, one in new.items()
        if name in old and one != old[name]
    ]


def kept(before: Policy) -> list[Change]:
    """The grants that people gave, which a file neither gives nor takes: shown so that nobody forgets them."""
    given = [grant for grant in before.grants if not grant.from_file]
    return [Change("=", "grant", f"{effect(grant, gained=True)} (given by people, stays)") for grant in given]


def effect(grant: Grant, *, gained: bool) -> str:
    """One grant as its effect: `U01ALICE gains restart-service in C01OPS with env production`."""
    who = _who(grant)
    scope = _scope(grant)
    if grant.effect is Effect.DENY:
        return f"{who} is denied {scope}" if gained else f"{who} is no longer denied {scope}"
    if grant.approval is not None:
        scope += f" after approval by {_approval(grant.approval)}"
    return f"{who} gains {scope}" if gained else f"{who} loses {scope}"


def _who(grant: Grant) -> str:
    return "everyone" if grant.subject == EVERYONE else grant.subject


def _scope(grant: Grant) -> str:
    what = "every workflow" if grant.target == EVERYONE else grant.target
    values = " and ".join(
        f"{name} {' or '.join(as_text(value) for value in values)}" for name, values in grant.when.items()
    )
    place = "" if grant.channel == EVERYWHERE else f" in {grant.channel}"
    return f"{what}{place}" + (f" with {values}" if values else "")


def _approval(asked: Requirement) -> str:
    """What is asked for, with the ids of those who are asked."""
    return " and ".join(f"{one.count} of {one.name}{_ids(one)}" for one in asked.quorums)


def _ids(quorum: Quorum) -> str:
    named = [one for one in quorum.subjects if one != EVERYONE]
    return "" if not named or " or ".join(named) == quorum.name else f" ({', '.join(named)})"


def approval_changes(before: Requirement, after: Requirement) -> list[str]:
    """What has become different about an approval, in words: who joins or leaves, and each of its other parts."""
    found = []
    if len(before.quorums) != len(after.quorums):
        found.append(f"by {_approval(after)} in place of {_approval(before)}")
    else:
        for old, new in zip(before.quorums, after.quorums, strict=True):
            found += _quorum_changes(old, new)
    old_up, new_up = before.escalate_to, after.escalate_to
    if old_up is not None and new_up is not None:
        found += [f"escalation: {words}" for words in _quorum_changes(old_up, new_up)]
    elif old_up != new_up:
        found.append(f"escalates to {new_up.name}{_ids(new_up)}" if new_up else "no longer escalates")
    for part, words in _APPROVAL_PARTS.items():
        old_part, new_part = getattr(before, part), getattr(after, part)
        if old_part != new_part:
            found.append(f"{words} {_part(new_part)}, was {_part(old_part)}")
    return found


_APPROVAL_PARTS = {
    "expires": "expires after",
    "remind": "reminds every",
    "channel": "asks in",
    "escalate_after": "escalates after",
    "own": "include_requester",
    "step_up": "step_up",
    "break_glass": "break_glass",
}


def _part(value: Any) -> str:
    if isinstance(value, timedelta):
        return in_words(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value else "none"


def _quorum_changes(old: Quorum, new: Quorum) -> list[str]:
    found = []
    if old.name != new.name:
        found.append(f"{old.name} is now {new.name}")
    if joining := [one for one in new.subjects if one not in old.subjects]:
        found.append(f"{', '.join(joining)} join{'s'[len(joining) > 1 :]} {new.name}")
    if leaving := [one for one in old.subjects if one not in new.subjects]:
        found.append(f"{', '.join(leaving)} leave{'s'[len(leaving) > 1 :]} {new.name}")
    if old.count != new.count:
        found.append(f"{new.count} of {new.name} in place of {old.count}")
    return found or ([f"{new.name} are named in another order"] if old != new else [])


def _workflows(before: Iterable[CatalogueEntry], after: Iterable[CatalogueEntry]) -> list[Change]:
    old, new = {entry.name: entry for entry in before}, {entry.name: entry for entry in after}
    found = [Change("+", "workflow", f"{name} joins the catalogue") for name in new if name not in old]
    found += [Change("-", "workflow", f"{name} leaves the catalogue") for name in old if name not in new]
    for name, entry in new.items():
        if name in old and (what := entry_changes(old[name], entry)):
            found.append(Change("~", "workflow", f"{name}: {'; '.join(what)}"))
    return found


def entry_changes(before: CatalogueEntry, after: CatalogueEntry) -> list[str]:
    """What has become different about a workflow, in words."""
    old, new = {field.name: field for field in before.inputs}, {field.name: field for field in after.inputs}
    found = [f"new input {name}" for name in new if name not in old]
    found += [f"input {name} is gone" for name in old if name not in new]
    for name, field in new.items():
        if name in old and field != old[name]:
            parts = [part for part in _PARTS if getattr(old[name], part) != getattr(field, part)]
            found.append(f"input {name} has another {', '.join(_PARTS[part] for part in parts)}")
    for part, words in (
        ("datadog_id", "it is another workflow in Datadog"),
        ("account", "it is in another Datadog account"),
        ("title", "it is called differently"),
        ("description", "it is described differently"),
        ("tags", "its tags are different"),
        ("limits", "its limits are different"),
        ("lock_on", "it locks on other inputs"),
    ):
        if getattr(before, part) != getattr(after, part):
            found.append(words)
    if not found and before.definition_hash != after.definition_hash:
        found.append("its definition in Datadog has changed")
    return found


_PARTS = {
    "type": "type",
    "label": "label",
    "description": "description",
    "has_default": "default",
    "default": "default",
    "options": "choices",
    "extra": "freedom of choice",
    "pattern": "pattern",
    "secret": "secrecy",
}


def _grants(before: Iterable[Grant], after: Iterable[Grant]) -> list[Change]:
    old, new = {_gives(grant): grant for grant in before}, {_gives(grant): grant for grant in after}
    lost = {key: grant for key, grant in old.items() if key not in new}
    gained, changed = [], []
    for key, grant in new.items():
        if key in old:
            continue
        same = next((other for other, was in lost.items() if other[0] == key[0] and was.approval is not None), None)
        was = lost.pop(same).approval if same is not None and grant.approval is not None else None
        if was is None or grant.approval is None:
            gained.append(Change("+", "grant", effect(grant, gained=True)))
        else:
            words = "; ".join(approval_changes(was, grant.approval))
            changed.append(Change("~", "grant", f"{_who(grant)}, {_scope(grant)}: the approval changes: {words}"))
    return [*gained, *(Change("-", "grant", effect(grant, gained=False)) for grant in lost.values()), *changed]


def _gives(grant: Grant) -> tuple[tuple[str, ...], str]:
    """What a grant gives, whichever rule says so, and after which approval."""
    when = json.dumps({name: list(values) for name, values in grant.when.items()}, sort_keys=True)
    return (grant.effect.value, grant.subject, grant.target, grant.channel, when), repr(grant.approval)


def _freezes(before: Iterable[Freeze], after: Iterable[Freeze]) -> list[Change]:
    old, new = list(before), list(after)
    return [
        *(Change("+", "freeze", f"{_freeze(freeze)} is frozen") for freeze in new if freeze not in old),
        *(Change("-", "freeze", f"{_freeze(freeze)} is not frozen any more") for freeze in old if freeze not in new),
    ]


def _freeze(freeze: Freeze) -> str:
    return f"{', '.join(freeze.targets)} from {freeze.begins:%Y-%m-%d %H:%M %Z} to {freeze.ends:%Y-%m-%d %H:%M %Z}"
