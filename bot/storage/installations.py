"""Installations, and the browsers that have made one, as rows of the main database."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.installations import Installation
from bot.storage.runs import insert_into
from bot.storage.tables import installations, oauth_states

_COLUMNS = [installations.c[field.name] for field in fields(Installation)]


def all_installations(connection: sa.Connection) -> list[Installation]:
    """As `InstallationRows.installations`, for whoever has no transaction of the store's."""
    query = sa.select(*_COLUMNS).order_by(installations.c.id)
    return [Installation(**row._mapping) for row in connection.execute(query)]


class InstallationRows:
    """Reading and changing them. Each change makes the version grow."""

    connection: sa.Connection
    now: datetime

    def installation(self, workspace_id: str) -> Installation | None:
        """The workspace's, removed or not."""
        row = self.connection.execute(sa.select(*_COLUMNS).where(installations.c.id == workspace_id)).one_or_none()
        return None if row is None else Installation(**row._mapping)

    def installations(self) -> list[Installation]:
        """All, those that were removed too, by id."""
        return all_installations(self.connection)

    def put_installation(self, installation: Installation) -> Installation:
        """Keep it; one that was there is replaced. Returns it as it is kept, installed now."""
        known = self.installation(installation.id)
        kept = replace(installation, installed_at=self.now, removed_at=None, version=known.version + 1 if known else 1)
        values = asdict(kept)
        statement = insert_into(self.connection.dialect.name, installations).values(**values, held_until=None)
        changes = {name: value for name, value in values.items() if name not in ("id", "version")}
        changes |= {"version": installations.c.version + 1, "held_until": None}
        self.connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changes))
        found = self.installation(installation.id)
        assert found is not None  # noqa: S101  # written just now, in this transaction
        return found

    def remove_installation(self, workspace_id: str, how: str, before: datetime | None = None) -> Installation | None:
        """Erase its tokens. None where nothing is installed, or where it was installed after `before`."""
        conditions = [installations.c.id == workspace_id, installations.c.removed_at.is_(None)]
        if before is not None:
            conditions.append(installations.c.installed_at <= before)
        erased = {"token": "", "refresh_token": "", "expires_at": None, "trouble": how, "removed_at": self.now}
        changed = self._change(conditions, **erased, held_until=None)
        return self.installation(workspace_id) if changed else None

    def reseal_installation(self, known: Installation, token: str, refresh_token: str) -> bool:
        """Keep the same tokens, sealed anew. False where something else changed it meanwhile, or is about to."""
        return self._change(self._unclaimed(known), token=token, refresh_token=refresh_token)

    def claim_refresh(self, known: Installation, until: datetime) -> bool:
        """Take the refreshing of its token until then. False: somebody else has it, or it was changed or removed."""
        statement = sa.update(installations).where(*self._unclaimed(known)).values(held_until=until)
        return bool(self.connection.execute(statement).rowcount)

    def refreshed(self, known: Installation, token: str, refresh_token: str, expires_at: datetime | None) -> bool:
        """Keep what Slack gave for its refresh token. False where that is not the one that is kept any more: another was
        exchanged, or it was removed or installed anew."""
        conditions = [installations.c.id == known.id, installations.c.refresh_token == known.refresh_token]
        values = {"token": token, "refresh_token": refresh_token, "expires_at": expires_at}
        return self._change(conditions, **values, trouble="", held_until=None)

    def note_trouble(self, workspace_id: str, trouble: str) -> None:
        """Keep why it can't be served or refreshed; empty: it can."""
        self.connection.execute(
            sa.update(installations)
            .where(installations.c.id == workspace_id, installations.c.trouble != trouble)
            .values(trouble=trouble)
        )

    def note_installation(self, told: Installation) -> tuple[bool, Installation | None]:
        """In a workspace's own database: what its trail is about to tell of. Whether that is news, and what was known.

        Whoever asks waits for others that ask; what is older than what is known is no news.
        """
        values = asdict(replace(told, token="", refresh_token=""))
        statement = insert_into(self.connection.dialect.name, installations).values(**values)
        added = statement.on_conflict_do_nothing().returning(installations.c.id)
        if self.connection.execute(added).one_or_none() is not None:
            return True, None
        query = sa.select(*_COLUMNS).where(installations.c.id == told.id).with_for_update()
        before = Installation(**self.connection.execute(query).one()._mapping)
        if before.version >= told.version:
            return False, before
        self.connection.execute(sa.update(installations).where(installations.c.id == told.id).values(**values))
        return True, before

    def use_oauth_state(self, digest: str, expires_at: datetime) -> bool:
        """Whether the state was not used before. It is kept until it has expired: then nobody takes it any more."""
        self.connection.execute(sa.delete(oauth_states).where(oauth_states.c.expires_at <= self.now))
        statement = insert_into(self.connection.dialect.name, oauth_states).values(digest=digest, expires_at=expires_at)
        added = statement.on_conflict_do_nothing().returning(oauth_states.c.digest)
        return self.connection.execute(added).one_or_none() is not None

    def _unclaimed(self, known: Installation) -> list[sa.ColumnElement[bool]]:
        free = installations.c.held_until.is_(None) | (installations.c.held_until <= self.now)
        same = installations.c.version == known.version
        return [installations.c.id == known.id, same, installations.c.removed_at.is_(None), free]

    def _change(self, conditions: list[sa.ColumnElement[bool]], **values: Any) -> bool:
        statement = sa.update(installations).where(*conditions)
        return bool(self.connection.execute(statement.values(version=installations.c.version + 1, **values)).rowcount)
