"""The catalogue: the allow-list of workflows, as an applied policy has made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.inputs import Input


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One workflow that may be run at all. `definition_hash` names form and Datadog's definition together."""

    name: str
    datadog_id: str
    title: str
    description: str = ""
    account: str = "default"
    tags: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    definition_hash: str = ""
    policy_version: int = 0

    @property
    def targets(self) -> tuple[str, ...]:
        """What a rule may call this workflow by."""
        return ("*", self.name, *(f"tag:{tag}" for tag in self.tags))

    def input(self, name: str) -> Input | None:
        return next((field for field in self.inputs if field.name == name), None)

    def with_defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The exact inputs of a run: what was given, and the default of what wasn't, in the form's order."""
        return {f.name: values.get(f.name, f.default) for f in self.inputs if f.name in values or f.has_default}

    def missing(self, values: Mapping[str, Any]) -> tuple[Input, ...]:
        return tuple(field for field in self.inputs if field.required and field.name not in values)
