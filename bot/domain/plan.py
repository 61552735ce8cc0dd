"""What applying a policy would change, in words: who gains and who loses what, and what becomes of each workflow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.catalogue import CatalogueEntry
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
    who = "everyone" if grant.subject == EVERYONE else grant.subject
    what = "every workflow" if grant.target == EVERYONE else grant.target
    values = " and ".join(
        f"{name} {' or '.join(as_text(value) for value in values)}" for name, values in grant.when.items()
    )
    place = "" if grant.channel == EVERYWHERE else f" in {grant.channel}"
    scope = f"{what}{place}" + (f" with {values}" if values else "")
    if grant.effect is Effect.DENY:
        return f"{who} is denied {scope}" if gained else f"{who} is no longer denied {scope}"
    if grant.approval is not None:
        scope += f" after approval by {grant.approval.words}"
    return f"{who} gains {scope}" if gained else f"{who} loses {scope}"


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
    gained = [Change("+", "grant", effect(grant, gained=True)) for key, grant in new.items() if key not in old]
    lost = [Change("-", "grant", effect(grant, gained=False)) for key, grant in old.items() if key not in new]
    return [*gained, *lost]


def _gives(grant: Grant) -> tuple[str, ...]:
    """What a grant gives, whichever rule says so."""
    when = json.dumps({name: list(values) for name, values in grant.when.items()}, sort_keys=True)
    return grant.effect.value, grant.subject, grant.target, grant.channel, when, repr(grant.approval)


def _freezes(before: Iterable[Freeze], after: Iterable[Freeze]) -> list[Change]:
    old, new = list(before), list(after)
    return [
        *(Change("+", "freeze", f"{_freeze(freeze)} is frozen") for freeze in new if freeze not in old),
        *(Change("-", "freeze", f"{_freeze(freeze)} is not frozen any more") for freeze in old if freeze not in new),
    ]


def _freeze(freeze: Freeze) -> str:
    return f"{', '.join(freeze.targets)} from {freeze.begins:%Y-%m-%d %H:%M %Z} to {freeze.ends:%Y-%m-%d %H:%M %Z}"
