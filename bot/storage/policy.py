"""Policies, grants and freezes as rows. The file owns the rows with a rule number; people own those without."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.accounts import Account
from bot.domain.catalogue import title_key
from bot.domain.policy import Effect, Freeze, Grant, Policy
from bot.storage.among import Among
from bot.storage.approvals import requirement_json, requirement_of
from bot.storage.catalogue import ASK, entry_row
from bot.storage.tables import accounts, freezes, grants, policies, workflow_targets, workflows

_IN_FORCE = (
    sa.select(grants).where(grants.c.until.is_(None) | (grants.c.until > sa.bindparam("now"))).order_by(grants.c.id)
)
_GRANTS = _IN_FORCE.where(Among(grants.c.subject, "subjects"))
_GRANTS_FOR = _GRANTS.where(Among(grants.c.target, "targets"))
# From each group to the next one by index: a group may have as many grants as it likes.
_GROUPS = sa.text(
    """
    WITH RECURSIVE named (subject) AS (
        SELECT (SELECT min(subject) FROM grants WHERE substr(subject, 1, 1) = 'S')
        UNION ALL
        SELECT (SELECT min(g.subject) FROM grants AS g WHERE substr(g.subject, 1, 1) = 'S' AND g.subject > named.subject)
        FROM named WHERE named.subject IS NOT NULL
    )
    SELECT subject FROM named WHERE subject IS NOT NULL
    """
)
_FREEZES = sa.select(freezes).where(freezes.c.ends > sa.bindparam("now")).order_by(freezes.c.begins)


class PolicyRows:
    """Reading and replacing what is in force."""

    connection: sa.Connection
    now: datetime

    def policy_version(self) -> int:
        return (self.connection.execute(sa.select(sa.func.max(policies.c.version)))).scalar() or 0

    def policy_digest(self) -> str:
        """The SHA-256 of the file in force; empty where none is."""
        query = sa.select(policies.c.digest).order_by(policies.c.version.desc()).limit(1)
        return self.connection.execute(query).scalar() or ""

    def grants(self, subjects: Collection[str], targets: Collection[str] | None = None) -> list[Grant]:
        """The grants in force of these subjects, for these targets."""
        values: dict[str, Any] = {"now": self.now, "subjects": subjects}
        query = _GRANTS if targets is None else _GRANTS_FOR
        if targets is not None:
            values["targets"] = targets
        return [_grant(row) for row in self.connection.execute(query, values).all()]

    def all_grants(self) -> list[Grant]:
        """Every grant in force."""
        return [_grant(row) for row in self.connection.execute(_IN_FORCE, {"now": self.now})]

    def groups_named(self) -> set[str]:
        """The Slack user groups that any grant names: whoever decides has to know who is in them."""
        return {row.subject for row in self.connection.execute(_GROUPS)}

    def freezes(self) -> list[Freeze]:
        """The freezes that are not over."""
        rows = self.connection.execute(_FREEZES, {"now": self.now})
        return [Freeze(tuple(row.targets), row.begins, row.ends, row.reason) for row in rows]

    def accounts(self) -> list[Account]:
        """The Datadog accounts that the policy names beside the environment's own."""
        query = sa.select(accounts).order_by(accounts.c.name)
        return [Account(**row._mapping) for row in self.connection.execute(query)]

    def replace_policy(self, policy: Policy, *, digest: str, source: str, applied_by: str) -> int:
        """Put a policy in the place of the one in force; grants that people gave stay. Returns its version."""
        version = self.policy_version() + 1
        for table in (workflows, workflow_targets, freezes, accounts):
            self.connection.execute(sa.delete(table))
        self.connection.execute(sa.delete(grants).where(grants.c.rule > 0))
        self._insert(workflows, [entry_row(entry, version) for entry in policy.entries])
        self._insert(
            workflow_targets,
            [
                {"target": target, "title_key": title_key(entry.title), "workflow": entry.name}
                for entry in policy.entries
                for target in entry.targets
            ],
        )
        self._insert(grants, [_grant_row(grant) for grant in policy.grants])
        self._insert(
            freezes,
            [
                {"targets": list(f.targets), "begins": f.begins, "ends": f.ends, "reason": f.reason}
                for f in policy.freezes
            ],
        )
        self._insert(accounts, [asdict(account) for account in policy.accounts])
        record = {
            "version": version,
            "digest": digest,
            "source": source,
            "applied_at": self.now,
            "applied_by": applied_by,
        }
        self._insert(policies, [record])
        if self.connection.dialect.name == "postgresql":
            # Until it has counted the new rows the planner sorts a whole catalogue where the first hundred are asked for.
            self.connection.execute(sa.text("ANALYZE workflows, workflow_targets, grants"))
        return version

    def add_grant(self, grant: Grant) -> int:
        """Add a grant that a person gives. Returns its id."""
        statement = sa.insert(grants).values(**_grant_row(grant)).returning(grants.c.id)
        return int((self.connection.execute(statement)).scalar_one())

    def remove_grant(self, grant_id: int) -> Grant | None:
        """Take back a grant that a person gave; None where there is none: the file's are the file's."""
        statement = sa.delete(grants).where(grants.c.id == grant_id, grants.c.rule == 0).returning(grants)
        row = (self.connection.execute(statement)).one_or_none()
        return None if row is None else _grant(row)

    def _insert(self, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            self.connection.execute(sa.insert(table), rows)


def _grant(row: Any) -> Grant:
    return Grant(
        effect=Effect.ALLOW if row.effect == ASK else Effect(row.effect),
        subject=row.subject,
        target=row.target,
        channel=row.channel,
        when={name: tuple(values) for name, values in row.conditions.items()},
        rule=row.rule,
        words=row.words,
        until=row.until,
        id=row.id,
        approval=requirement_of(row.approval) if row.approval else None,
    )


def _grant_row(grant: Grant) -> dict[str, Any]:
    return {
        "effect": ASK if grant.approval else grant.effect.value,
        "subject": grant.subject,
        "target": grant.target,
        "channel": grant.channel,
        "conditions": {name: list(values) for name, values in grant.when.items()},
        "rule": grant.rule,
        "words": grant.words,
        "until": grant.until,
        "approval": requirement_json(grant.approval) if grant.approval else None,
    }
