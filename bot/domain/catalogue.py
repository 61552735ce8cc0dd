"""The catalogue: the allow-list of workflows, as an applied policy has made it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import rfc8785

from bot.domain.inputs import Input

EVERYTHING = "*"  # the target that means every workflow
TITLE_KEY = 150  # characters, as many as a title in the policy file may have


@dataclass(frozen=True, slots=True)
class Limits:
    """How often a workflow may run. None: as often as one likes. `per_person` is (how many, within what time)."""

    at_once: int | None = None
    cool_down: timedelta | None = None
    per_person: tuple[int, timedelta] | None = None


class Ruled:
    """What rules ask of a workflow: what they may call it by, and its inputs."""

    __slots__ = ()
    name: str
    tags: tuple[str, ...]
    inputs: tuple[Input, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """What a rule may call this workflow by."""
        return (EVERYTHING, self.name, *(f"tag:{tag}" for tag in self.tags))

    def input(self, name: str) -> Input | None:
        return next((field for field in self.inputs if field.name == name), None)


@dataclass(frozen=True, slots=True)
class Listing(Ruled):
    """A workflow as a list shows it. `inputs` are left out until a rule asks for them."""

    name: str
    title: str
    description: str = ""
    account: str = "default"
    tags: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogueEntry(Ruled):
    """One workflow that may be run at all.

    `definition_hash` names form and Datadog's definition together, `datadog_hash` that definition alone (empty where it
    could not be read); `wording` is what the policy file says of the inputs, kept to be put on a changed definition.
    `unfit` says why the file no longer fits the definition; then nothing starts.
    """

    name: str
    datadog_id: str
    title: str
    description: str = ""
    account: str = "default"
    tags: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    definition_hash: str = ""
    policy_version: int = 0
    datadog_hash: str = ""
    wording: Mapping[str, Any] = field(default_factory=dict)
    unfit: str = ""
    lock_on: tuple[str, ...] = ()
    limits: Limits = Limits()

    def lock_key(self, values: Mapping[str, Any]) -> str | None:
        """The same for runs that may not go on at once; None where the workflow locks on nothing.

        A digest: values may be longer than a database's index holds, and no business of who reads the row.
        """
        if not self.lock_on:
            return None
        # Canonical, so that values that count as equal (1 and 1.0) are one lock.
        parts = rfc8785.dumps({name: values.get(name) for name in self.lock_on})
        return f"{self.name} {hashlib.sha256(parts).hexdigest()}"

    def with_defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The exact inputs of a run: what was given, and the default of what wasn't, in the form's order."""
        return {f.name: values.get(f.name, f.default) for f in self.inputs if f.name in values or f.has_default}

    def missing(self, values: Mapping[str, Any]) -> tuple[Input, ...]:
        return tuple(field for field in self.inputs if field.required and field.name not in values)


def title_key(title: str) -> str:
    """What lists are sorted by, and searched in: the title whatever its case is."""
    return title.casefold()[:TITLE_KEY]
