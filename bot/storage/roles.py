"""The Postgres role that the bot runs as: it may do its work, and it can't touch what the trail holds.

Records can be added and read; the head can be moved, nothing of the trail changed or deleted, no table made or altered.
Sealing and `db upgrade` are for the owner.
"""

from __future__ import annotations

import re

import sqlalchemy as sa

from bot.domain.errors import Refused
from bot.storage.tables import metadata

NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
# Everything else: SELECT, INSERT, UPDATE, DELETE.
TRAIL = {
    "audit_records": "SELECT, INSERT",
    "audit_seals": "SELECT",
    "audit_head": "SELECT, UPDATE (seq, hash, at, key_marks)",
    "audit_posts": "SELECT, UPDATE",
    "audit_witnesses": "SELECT, UPDATE",
}

_ROLE = sa.text(
    "SELECT rolsuper OR pg_catalog.pg_has_role(oid, (SELECT relowner FROM pg_catalog.pg_class"
    " WHERE oid = pg_catalog.to_regclass('audit_records')), 'MEMBER') FROM pg_catalog.pg_roles WHERE rolname = :name"
)
_BOTS = sa.text(
    "SELECT DISTINCT rolname FROM pg_catalog.pg_class, pg_catalog.aclexplode(relacl) AS acl"
    " JOIN pg_catalog.pg_roles ON pg_roles.oid = acl.grantee"
    " WHERE pg_class.oid = pg_catalog.to_regclass('audit_records')"
    " AND privilege_type = 'INSERT' AND grantee <> relowner ORDER BY rolname"
)


def make_role(connection: sa.Connection, name: str) -> bool:
    """Give the role what the bot needs and nothing more; make it where there is none. True where it was made.

    Raises Refused where it can't be such a role.
    """
    if connection.dialect.name != "postgresql":
        raise Refused(
            "SQLite has no roles: whoever can write the file can write everything in it. Use Postgres for this."
        )
    if not NAME.fullmatch(name):
        raise Refused(f"“{name}” can't be the role's name. Use small letters, digits and underscores.")
    mighty = connection.execute(_ROLE, {"name": name}).scalar_one_or_none()
    if mighty:
        raise Refused(f"The role {name} owns the tables or is a superuser: it can do everything. Name another one.")
    if mighty is None:
        connection.execute(sa.text(f"CREATE ROLE {connection.dialect.identifier_preparer.quote(name)} LOGIN"))
    grant(connection, name)
    return mighty is None


def grant(connection: sa.Connection, name: str) -> None:
    """Give a role exactly the rights of the bot, whatever rights on its tables it had."""
    quote = connection.dialect.identifier_preparer.quote
    role = quote(name)
    database, schema = connection.execute(sa.text("SELECT current_database(), current_schema()")).one()
    statements = [
        f"GRANT CONNECT ON DATABASE {quote(database)} TO {role}",
        f"GRANT USAGE ON SCHEMA {quote(schema)} TO {role}",
        f"REVOKE CREATE ON SCHEMA {quote(schema)} FROM {role}",
        f"REVOKE ALL ON alembic_version FROM {role}",
        f"GRANT SELECT ON alembic_version TO {role}",
    ]
    for table in metadata.sorted_tables:
        rights = TRAIL.get(table.name, "SELECT, INSERT, UPDATE, DELETE")
        statements += [f"REVOKE ALL ON {table.name} FROM {role}", f"GRANT {rights} ON {table.name} TO {role}"]
    statements.append(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {quote(schema)} TO {role}")
    for statement in statements:
        connection.execute(sa.text(statement))


def bot_roles(connection: sa.Connection) -> list[str]:
    """The roles that run as the bot: those that may add records and don't own them."""
    return [row.rolname for row in connection.execute(_BOTS)]
