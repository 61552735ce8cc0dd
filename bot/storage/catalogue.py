"""The catalogue and the grants as rows. What a person may see is driven from the grants, which are few for one person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.catalogue import CatalogueEntry
from bot.domain.inputs import Input
from bot.domain.policy import Effect, Grant
from bot.domain.workflows import AllowedValue, InputType
from bot.storage.tables import grants, policies, workflow_targets, workflows


class CatalogueRows:
    """Reading and replacing the catalogue and the grants."""

    connection: AsyncConnection
    now: datetime

    async def entry(self, name: str) -> CatalogueEntry | None:
        row = (await self.connection.execute(sa.select(workflows).where(workflows.c.name == name))).one_or_none()
        return None if row is None else _entry(row)

    async def entries(self) -> list[CatalogueEntry]:
        return [_entry(row) for row in await self.connection.execute(sa.select(workflows).order_by(workflows.c.name))]

    async def grants(self, subjects: Collection[str], targets: Collection[str] | None = None) -> list[Grant]:
        query = sa.select(grants).where(grants.c.subject.in_(sorted(subjects)))
        if targets is not None:
            query = query.where(grants.c.target.in_(sorted(targets)))
        return [_grant(row) for row in await self.connection.execute(query.order_by(grants.c.id))]

    async def entries_granted(self, subjects: Collection[str], search: str, limit: int) -> list[CatalogueEntry]:
        granted = (
            sa.select(workflow_targets.c.workflow)
            .join(grants, grants.c.target == workflow_targets.c.target)
            .where(grants.c.subject.in_(sorted(subjects)), grants.c.effect == Effect.ALLOW.value)
        )
        query = sa.select(workflows).where(workflows.c.name.in_(granted))
        if search:
            query = query.where(
                workflows.c.title.icontains(search, autoescape=True)
                | workflows.c.name.icontains(search, autoescape=True)
            )
        query = query.order_by(sa.func.lower(workflows.c.title), workflows.c.name).limit(limit)
        return [_entry(row) for row in await self.connection.execute(query)]

    async def policy_version(self) -> int:
        return (await self.connection.execute(sa.select(sa.func.max(policies.c.version)))).scalar() or 0

    async def replace_policy(
        self, entries: Sequence[CatalogueEntry], rows: Sequence[Grant], *, digest: str, source: str, applied_by: str
    ) -> int:
        version = await self.policy_version() + 1
        for table in (workflows, workflow_targets, grants):
            await self.connection.execute(sa.delete(table))
        await self._insert(workflows, [_entry_row(entry, version) for entry in entries])
        await self._insert(
            workflow_targets, [{"target": t, "workflow": entry.name} for entry in entries for t in entry.targets]
        )
        await self._insert(grants, [_grant_row(grant) for grant in rows])
        record = {
            "version": version,
            "digest": digest,
            "source": source,
            "applied_at": self.now,
            "applied_by": applied_by,
        }
        await self._insert(policies, [record])
        return version

    async def _insert(self, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            await self.connection.execute(sa.insert(table), rows)


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
    )


def _entry_row(entry: CatalogueEntry, version: int) -> dict[str, Any]:
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
    }


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


def _grant(row: Any) -> Grant:
    when = {name: tuple(values) for name, values in row.conditions.items()}
    return Grant(Effect(row.effect), row.subject, row.target, row.channel, when, row.rule)


def _grant_row(grant: Grant) -> dict[str, Any]:
    return {
        "effect": grant.effect.value,
        "subject": grant.subject,
        "target": grant.target,
        "channel": grant.channel,
        "conditions": {name: list(values) for name, values in grant.when.items()},
        "rule": grant.rule,
    }
