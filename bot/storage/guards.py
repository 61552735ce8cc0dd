"""The triggers that keep the trail append-only: what they have to be, and whether they are in place.

Whoever owns the database can take a trigger away; so they are looked for, and compared to the letter, by whoever verifies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

BEYOND = 2**63 - 1  # no record's number; in SQLite whatever is no number at all sorts behind it
TABLES = ("audit_head", "audit_records", "audit_seals")

_SQLITE: Mapping[str, str] = {
    name: f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{words}'); END"
    for name, when, words in (
        ("audit_records_no_update", "UPDATE ON audit_records", "the audit trail is append-only"),
        (
            "audit_records_no_delete",
            "DELETE ON audit_records WHEN NOT EXISTS"
            " (SELECT 1 FROM audit_seals WHERE OLD.seq BETWEEN first_seq AND last_seq)",
            "a record leaves the audit trail only by being sealed",
        ),
        (
            "audit_records_no_replace",
            "INSERT ON audit_records WHEN EXISTS (SELECT 1 FROM audit_records WHERE seq = NEW.seq)",
            "the audit trail is append-only",
        ),
        ("audit_seals_no_update", "UPDATE ON audit_seals", "the audit trail is append-only"),
        ("audit_seals_no_delete", "DELETE ON audit_seals", "the audit trail is append-only"),
        (
            "audit_seals_no_replace",
            "INSERT ON audit_seals WHEN EXISTS (SELECT 1 FROM audit_seals WHERE last_seq = NEW.last_seq)",
            "the audit trail is append-only",
        ),
        ("audit_head_no_delete", "DELETE ON audit_head", "the audit trail is append-only"),
    )
}

# Bits of pg_trigger.tgtype (PostgreSQL: src/include/catalog/pg_trigger.h).
_ROW, _BEFORE, _DELETE, _UPDATE, _TRUNCATE = 1, 2, 8, 16, 32
_REFUSE = "BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END"
_DOOR = (
    "BEGIN IF NOT EXISTS (SELECT 1 FROM audit_seals WHERE OLD.seq BETWEEN first_seq AND last_seq) "
    "THEN RAISE EXCEPTION 'a record leaves the audit trail only by being sealed'; END IF; RETURN OLD; END"
)
# name: table, when, what it does
_POSTGRES: Mapping[str, tuple[str, int, str]] = {
    "audit_records_append_only": ("audit_records", _BEFORE | _UPDATE | _TRUNCATE, _REFUSE),
    "audit_records_sealed_only": ("audit_records", _ROW | _BEFORE | _DELETE, _DOOR),
    "audit_seals_append_only": ("audit_seals", _BEFORE | _UPDATE | _DELETE | _TRUNCATE, _REFUSE),
    "audit_head_stays": ("audit_head", _BEFORE | _DELETE | _TRUNCATE, _REFUSE),
}
_POSTGRES_TRIGGERS = sa.text("""
    SELECT tgname, relname, tgtype, tgenabled, tgqual IS NULL AS always, prosrc
    FROM pg_catalog.pg_trigger
    JOIN pg_catalog.pg_class ON pg_class.oid = tgrelid
    JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid
    WHERE NOT tgisinternal AND tgrelid IN
        (pg_catalog.to_regclass('audit_head'), pg_catalog.to_regclass('audit_records'), pg_catalog.to_regclass('audit_seals'))
""")
_POSTGRES_TABLES = sa.text("""
    SELECT relname FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p') AND NOT relhasrules AND oid IN
        (pg_catalog.to_regclass('audit_head'), pg_catalog.to_regclass('audit_records'), pg_catalog.to_regclass('audit_seals'))
""")


def faults(connection: sa.Connection) -> list[str]:
    """A sentence for each guard that is missing, switched off or altered, and for each that nobody knows."""
    return _sqlite(connection) if connection.dialect.name == "sqlite" else _postgres(connection)


def may_tamper(connection: sa.Connection) -> bool:
    """Whether this very connection may change or delete records, as the owner of the tables may. SQLite knows no rights."""
    if connection.dialect.name == "sqlite":
        return False
    rights = sa.text("SELECT pg_catalog.has_table_privilege(current_user, 'audit_records', 'UPDATE, DELETE, TRUNCATE')")
    return bool(connection.execute(rights).scalar())


def _sqlite(connection: sa.Connection) -> list[str]:
    query = sa.text("SELECT type, name, tbl_name, sql FROM sqlite_master")
    there = list(connection.execute(query))
    tables = {row.name for row in there if row.type == "table"}
    triggers = {
        row.name: " ".join(str(row.sql).split()) for row in there if row.type == "trigger" and row.tbl_name in TABLES
    }
    found = _missing_tables(tables)
    for name, wanted in _SQLITE.items():
        if name not in triggers:
            found.append(f"The trigger {name} is missing.")
        elif triggers[name] != wanted:
            found.append(f"The trigger {name} was altered.")
    beyond = sa.text("SELECT count(*) FROM audit_records WHERE seq >= :beyond")
    if "audit_records" in tables and (count := connection.execute(beyond, {"beyond": BEYOND}).scalar_one()):
        found.append(f"{count} row(s) stand in the trail at places that are no numbers.")
    return found + _unknown(set(triggers) - set(_SQLITE))


def _postgres(connection: sa.Connection) -> list[str]:
    found = _missing_tables({row.relname for row in connection.execute(_POSTGRES_TABLES)})
    triggers: dict[str, Any] = {row.tgname: row for row in connection.execute(_POSTGRES_TRIGGERS)}
    for name, (table, kind, source) in _POSTGRES.items():
        row = triggers.get(name)
        if row is None or row.relname != table:
            found.append(f"The trigger {name} is missing.")
        elif row.tgenabled != "A":
            found.append(f"The trigger {name} is switched off, or off for some sessions.")
        elif row.tgtype != kind or not row.always or " ".join(row.prosrc.split()) != source:
            found.append(f"The trigger {name} was altered.")
    return found + _unknown(set(triggers) - set(_POSTGRES))


def _missing_tables(there: set[str]) -> list[str]:
    return [f"{name} is not a plain table any more." for name in TABLES if name not in there]


def _unknown(names: set[str]) -> list[str]:
    return [f"The trigger {name} is none of the bot's." for name in sorted(names)]
