"""The catalogue as rows. What a person may see is driven from the grants, which are few for one person."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain.catalogue import CatalogueEntry, Limits
from bot.domain.inputs import Input
from bot.domain.policy import EVERYWHERE, Effect
from bot.domain.workflows import AllowedValue, InputType
from bot.storage.tables import grants, workflow_targets, workflows

# The effect of a row that allows after an approval. A word of its own: a bot from before approvals stumbles over it, and
# lets nobody in, rather than take it for an allow.
ASK = "ask"

_BY_NAME = sa.select(workflows).where(workflows.c.name == sa.bindparam("name"))


class CatalogueRows:
    """Reading the catalogue."""

    connection: sa.Connection
    now: datetime

    def entry(self, name: str) -> CatalogueEntry | None:
        row = self.connection.execute(_BY_NAME, {"name": name}).one_or_none()
        return None if row is None else _entry(row)

    def entries(self) -> list[CatalogueEntry]:
        return [_entry(row) for row in self.connection.execute(sa.select(workflows).order_by(workflows.c.name))]

    def replace_entry(self, entry: CatalogueEntry, before: str) -> bool:
        """Put a changed entry in its place; False where it isn't the one with the definition hash `before` any more."""
        statement = (
            sa.update(workflows)
            .where(
                workflows.c.name == entry.name,
                workflows.c.definition_hash == before,
                workflows.c.policy_version == entry.policy_version,  # not over what was applied meanwhile
            )
            .values(**entry_row(entry, entry.policy_version))
        )
        return bool((self.connection.execute(statement)).rowcount)

    def entries_granted(
        self, subjects: Collection[str], search: str, limit: int, *, channel: str | None = None, offset: int = 0
    ) -> list[CatalogueEntry]:
        """The workflows that some grant allows these subjects, by title: in the channel, or without one anywhere."""
        granted = (
            sa.select(workflow_targets.c.workflow)
            .join(grants, grants.c.target == workflow_targets.c.target)
            .where(
                grants.c.subject.in_(sorted(subjects)),
                grants.c.effect.in_([Effect.ALLOW.value, ASK]),
                grants.c.until.is_(None) | (grants.c.until > self.now),
            )
        )
        if channel is not None:
            granted = granted.where(grants.c.channel.in_([EVERYWHERE, channel]))
        query = sa.select(workflows).where(workflows.c.name.in_(granted))
        if search:
            query = query.where(
                workflows.c.title.icontains(search, autoescape=True)
                | workflows.c.name.icontains(search, autoescape=True)
            )
        query = query.order_by(sa.func.lower(workflows.c.title), workflows.c.name).limit(limit).offset(offset)
        return [_entry(row) for row in self.connection.execute(query)]


def _entry(row: Any) -> CatalogueEntry:
    return CatalogueEntry(
        name=row.name,
        datadog_id=row.datadog_id,
        title=row.title,
        description=row.description,
        account=row.account,
        tags=tuple(row.tags),
        inputs=tuple(_input(field) for field in row.inputs),
        definition_hash=row.definition_hash,
        policy_version=row.policy_version,
        datadog_hash=row.datadog_hash,
        wording=row.wording,
        unfit=row.unfit,
        lock_on=tuple(row.lock_on),
        limits=_limits(row.limits),
    )


def entry_row(entry: CatalogueEntry, version: int) -> dict[str, Any]:
    """An entry as a row of the catalogue."""
    return {
        "name": entry.name,
        "datadog_id": entry.datadog_id,
        "title": entry.title,
        "description": entry.description,
        "account": entry.account,
        "tags": list(entry.tags),
        "inputs": [input_json(field) for field in entry.inputs],
        "definition_hash": entry.definition_hash,
        "policy_version": version,
        "datadog_hash": entry.datadog_hash,
        "wording": dict(entry.wording),
        "unfit": entry.unfit,
        "lock_on": list(entry.lock_on),
        "limits": _limits_json(entry.limits),
    }


def _limits_json(limits: Limits) -> dict[str, Any]:
    per_person = limits.per_person
    return {
        "at_once": limits.at_once,
        "cool_down": limits.cool_down.total_seconds() if limits.cool_down else None,
        "per_person": [per_person[0], per_person[1].total_seconds()] if per_person else None,
    }


def _limits(data: dict[str, Any]) -> Limits:
    per_person = data["per_person"]
    return Limits(
        at_once=data["at_once"],
        cool_down=timedelta(seconds=data["cool_down"]) if data["cool_down"] else None,
        per_person=(per_person[0], timedelta(seconds=per_person[1])) if per_person else None,
    )


def input_json(field: Input) -> dict[str, Any]:
    """An input as the catalogue keeps it."""
    return {
        "name": field.name,
        "type": field.type.value,
        "label": field.label,
        "description": field.description,
        "default": [field.default] if field.has_default else [],
        "options": [[option.value, option.label] for option in field.options],
        "extra": field.extra,
        "pattern": field.pattern,
        "secret": field.secret,
    }


def _input(data: dict[str, Any]) -> Input:
    return Input(
        name=data["name"],
        type=InputType(data["type"]),
        label=data["label"],
        description=data["description"],
        has_default=bool(data["default"]),
        default=data["default"][0] if data["default"] else None,
        options=tuple(AllowedValue(value, label) for value, label in data["options"]),
        extra=data["extra"],
        pattern=data["pattern"],
        secret=data["secret"],
    )
