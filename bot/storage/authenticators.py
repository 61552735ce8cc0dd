"""Approvers' authenticators as rows."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa

from bot.storage.runs import insert_into
from bot.storage.tables import authenticators
from bot.use_cases.ports import Authenticator


class AuthenticatorRows:
    """Reading, keeping and removing authenticators."""

    connection: sa.Connection
    now: datetime

    def hold_authenticator(self, team_id: str, user_id: str) -> Authenticator | None:
        """The person's; nobody else uses a code of it before this transaction ends."""
        theirs = (authenticators.c.team_id == team_id, authenticators.c.user_id == user_id)
        row = self.connection.execute(sa.select(authenticators).where(*theirs).with_for_update()).one_or_none()
        return None if row is None else Authenticator(**row._mapping)

    def put_authenticator(self, authenticator: Authenticator) -> None:
        """Keep it, in the place of the one that the person had."""
        row = asdict(authenticator)
        insert = insert_into(self.connection.dialect.name, authenticators).values(**row)
        changes = {name: value for name, value in row.items() if name not in ("team_id", "user_id")}
        keys = [authenticators.c.team_id, authenticators.c.user_id]
        self.connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changes))

    def remove_authenticators(self, user_id: str) -> bool:
        """False where the person has none."""
        theirs = authenticators.c.user_id == user_id
        return bool(self.connection.execute(sa.delete(authenticators).where(theirs)).rowcount)

    def sealed_authenticators(self) -> dict[str, str]:
        """What is kept sealed, by person."""
        query = sa.select(authenticators.c.user_id, authenticators.c.sealed).where(authenticators.c.sealed != "")
        return {row.user_id: row.sealed for row in self.connection.execute(query)}
