"""The catalogue as rows. What a person may see is driven from the grants, which are few for one person."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain.catalogue import EVERYTHING, CatalogueEntry, Limits, Listing, title_key
from bot.domain.inputs import Input
from bot.domain.policy import EVERYWHERE, Effect
from bot.domain.workflows import AllowedValue, InputType
from bot.storage.among import Among
from bot.storage.tables import grants, workflow_targets, workflows

# The effect of a row that allows after an approval. A word of its own: a bot from before approvals stumbles over it, and
# lets nobody in, rather than take it for an allow.
ASK = "ask"

_BY_NAME = sa.select(workflows).where(workflows.c.name == sa.bindparam("name"))
_INPUTS = sa.select(workflows.c.name, workflows.c.inputs).where(Among(workflows.c.name, "names"))
_SHOWN = sa.select(
    workflows.c.name, workflows.c.title, workflows.c.description, workflows.c.account, workflows.c.tags
).where(Among(workflows.c.name, "names"))
_MEANT = (
    sa.select(workflow_targets.c.title_key, workflow_targets.c.workflow)
    .distinct()  # a name and a tag may mean the same workflow
    .order_by(workflow_targets.c.title_key, workflow_targets.c.workflow)
)
_ALLOWED = sa.select(grants.c.target).where(
    Among(grants.c.subject, "subjects"),
    grants.c.effect.in_([Effect.ALLOW.value, ASK]),
    Among(grants.c.channel, "channels"),
    grants.c.until.is_(None) | (grants.c.until > sa.bindparam("now")),
)
_ALLOWED_EVERYTHING = _ALLOWED.where(grants.c.target == EVERYTHING).limit(1)
_MEANT_BY_EVERYTHING = _MEANT.where(workflow_targets.c.target == EVERYTHING)
_MEANT_BY_GRANTS = _MEANT.where(workflow_targets.c.target.in_(_ALLOWED))


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

    def listings(self, search: str, limit: int) -> list[Listing]:
        """The workflows of the catalogue by title: those whose title or name holds `search`."""
        return self._listed(_MEANT_BY_EVERYTHING, {}, search, limit, None)

    def listings_allowed(
        self, subjects: Collection[str], channel: str, search: str, limit: int, after: Listing | None = None
    ) -> list[Listing]:
        """The same of those that some grant allows these subjects in the channel, with some values at least: after `after`."""
        values = {"now": self.now, "subjects": subjects, "channels": [EVERYWHERE, channel]}
        if self.connection.execute(_ALLOWED_EVERYTHING, values).first():
            return self._listed(_MEANT_BY_EVERYTHING, {}, search, limit, after)
        return self._listed(_MEANT_BY_GRANTS, values, search, limit, after)

    def _listed(
        self, meant: sa.Select[Any], values: dict[str, Any], search: str, limit: int, after: Listing | None
    ) -> list[Listing]:
        if search:
            meant = meant.where(
                workflow_targets.c.title_key.contains(title_key(search), autoescape=True)
                | workflow_targets.c.workflow.icontains(search, autoescape=True)
            )
        if after is not None:
            place = sa.tuple_(sa.literal(title_key(after.title)), sa.literal(after.name))
            meant = meant.where(sa.tuple_(workflow_targets.c.title_key, workflow_targets.c.workflow) > place)
        # Two questions, not a join: that the page is short is nothing a planner knows before it has it.
        names = [row.workflow for row in self.connection.execute(meant.limit(limit), values).all()]
        rows = {row.name: row for row in self.connection.execute(_SHOWN, {"names": names}).all()}
        return [_listing(rows[name]) for name in names if name in rows]

    def inputs_of(self, names: Collection[str]) -> dict[str, tuple[Input, ...]]:
        """The inputs of these workflows."""
        rows = self.connection.execute(_INPUTS, {"names": names}).all()
        return {row.name: _inputs(row.inputs) for row in rows}


def _entry(row: Any) -> CatalogueEntry:
    return CatalogueEntry(
        name=row.name,
        datadog_id=row.datadog_id,
        title=row.title,
        description=row.description,
        account=row.account,
        tags=tuple(row.tags),
        inputs=_inputs(row.inputs),
        definition_hash=row.definition_hash,
        policy_version=row.policy_version,
        datadog_hash=row.datadog_hash,
        wording=row.wording,
        unfit=row.unfit,
        lock_on=tuple(row.lock_on),
        limits=_limits(row.limits),
    )


def _listing(row: Any) -> Listing:
    return Listing(row.name, row.title, row.description, row.account, tuple(row.tags))


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


def _inputs(fields: list[dict[str, Any]]) -> tuple[Input, ...]:
    return tuple(_input(data) for data in fields)


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
