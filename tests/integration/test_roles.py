"""The Postgres role of least privilege: the bot serves as it, and tampering as it fails."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from bot.sandbox import demo
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import World, open_world
from bot.storage import migrate
from tests.acceptance.scene import until, words
from tests.integration.command_line import command

pytestmark = pytest.mark.postgres


def as_role(url: str, role: str) -> str:
    """The same database, as another role."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{role}@{place}" + urlunsplit(("", "", parts.path, parts.query, ""))


@pytest.fixture
async def world(owned: str, role: str, tmp_path: Path) -> AsyncIterator[World]:
    made = await command(tmp_path, "db", "role", role, DATABASE_URL=owned)
    assert made.code == 0, made.words
    assert made.words.startswith(f"Made the role {role}: it has the rights that the bot needs, and no more.")
    async with LocalSlack() as slack, LocalDatadog() as datadog:
        demo.furnish_slack(slack)
        policy = demo.furnish_datadog(datadog)
        environment = {"AUDIT_CHANNEL": demo.AUDIT, "ADMINS": demo.ALICE, "AUDIT_KEY": "a key of the tests"}
        async with open_world(slack, datadog, as_role(owned, role), environment=environment) as world:
            await world.apply(policy)
            yield world
        assert slack.violations == []


async def test_the_bot_does_all_its_work_as_the_role(world: World, owned: str, role: str, tmp_path: Path) -> None:
    alice = world.slack.person(demo.ALICE)
    await alice.command(demo.OPS, "/workflow run restart-service service=checkout reason=test")
    await alice.wait_for_message(demo.OPS, lambda m: "*succeeded after" in words(m), timeout=20)
    await alice.command(demo.OPS, "/workflow lock restart-service a deploy for 1h")
    await alice.wait_for_message(demo.OPS, lambda m: ":lock:" in words(m))
    await alice.command(demo.OPS, "/workflow unlock restart-service")
    await alice.wait_for_message(demo.OPS, lambda m: ":unlock:" in words(m))

    async def told() -> bool:
        posts = json.dumps(world.slack.messages(demo.AUDIT))
        return all(act in posts for act in ("requested", "ended", "locked", "unlocked"))

    await until(told)
    environment = {"DATABASE_URL": as_role(owned, role), "AUDIT_KEY": "a key of the tests"}
    given = await command(tmp_path, "grants", "add", demo.BOB, "restart-service", **environment)
    assert given.code == 0, given.words
    verified = await command(tmp_path, "audit", "verify", **environment)
    assert verified.code == 0, verified.output + verified.words
    upgraded = await command(tmp_path, "db", "upgrade", **environment)
    assert (upgraded.code, upgraded.words) == (0, "The database is up to date.\n")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_records SET act = 'denied'",
        "DELETE FROM audit_records",
        "TRUNCATE audit_records",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET id = 2",
        "INSERT INTO audit_head (id, seq, hash) VALUES (2, 0, '')",
        "TRUNCATE audit_head",
        "INSERT INTO audit_seals VALUES (1, 1, '', '')",
        "DROP TRIGGER audit_records_append_only ON audit_records",
        "ALTER TABLE audit_records DISABLE TRIGGER ALL",
        "ALTER TABLE audit_records DISABLE TRIGGER audit_records_sealed_only",
        "CREATE OR REPLACE FUNCTION audit_records_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN END $$",
        "SET session_replication_role = replica",
        "CREATE TABLE mine (id integer)",
        "DROP TABLE runs",
        "ALTER TABLE audit_records RENAME TO mine",
        "CREATE RULE mine AS ON INSERT TO audit_records DO INSTEAD NOTHING",
        "UPDATE alembic_version SET version_num = '0001'",
    ],
)
async def test_tampering_as_the_role_fails(owned: str, role: str, tmp_path: Path, statement: str) -> None:
    await command(tmp_path, "db", "role", role, DATABASE_URL=owned)
    await command(tmp_path, "grants", "add", "*", "*", DATABASE_URL=as_role(owned, role))
    with (
        psycopg.connect(as_role(owned, role)) as connection,
        pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException)),
    ):
        connection.execute(statement.encode())


async def test_a_role_that_had_more_rights_is_left_with_those_that_it_needs(
    owned: str, role: str, tmp_path: Path
) -> None:
    await command(tmp_path, "db", "role", role, DATABASE_URL=owned)
    with psycopg.connect(owned, autocommit=True) as connection:
        connection.execute(sql.SQL("GRANT ALL ON ALL TABLES IN SCHEMA public TO {}").format(sql.Identifier(role)))
    again = await command(tmp_path, "db", "role", role, DATABASE_URL=owned)
    assert (again.code, again.words) == (0, f"The role {role}: it has the rights that the bot needs, and no more.\n")
    with psycopg.connect(as_role(owned, role)) as connection:
        row = connection.execute("SELECT has_table_privilege('audit_records', 'UPDATE, DELETE, TRUNCATE')").fetchone()
        assert row == (False,)


async def test_an_upgrade_gives_the_role_what_new_tables_need(owned: str, role: str, tmp_path: Path) -> None:
    await command(tmp_path, "db", "role", role, DATABASE_URL=owned)
    migrate.downgrade(owned, "0001")
    with psycopg.connect(owned, autocommit=True) as connection:
        granted = sql.SQL("GRANT SELECT, INSERT ON audit_records TO {}").format(sql.Identifier(role))
        connection.execute(granted)
    migrate.upgrade(owned)
    with psycopg.connect(as_role(owned, role)) as connection:
        assert connection.execute("SELECT count(*) FROM audit_witnesses").fetchone() == (3,)


async def test_a_schema_that_is_behind_is_not_touched_by_the_role(owned: str, role: str, tmp_path: Path) -> None:
    await command(tmp_path, "db", "role", role, DATABASE_URL=owned)
    migrate.downgrade(owned, "0001")
    ended = await command(tmp_path, "db", "upgrade", DATABASE_URL=as_role(owned, role))
    assert ended.code == 1
    assert "that the bot may create tables" in ended.words
    assert "Traceback" not in ended.words


@pytest.mark.parametrize("name", ["Bot", "bot role", "postgres", "x; DROP TABLE runs", ""])
async def test_what_cannot_be_the_role_is_refused(owned: str, tmp_path: Path, name: str) -> None:
    ended = await command(tmp_path, "db", "role", name, DATABASE_URL=owned)
    assert ended.code == 1
    assert "Traceback" not in ended.words


async def test_doctor_tells_whether_the_bot_runs_as_the_owner(owned: str, role: str, tmp_path: Path) -> None:
    await command(tmp_path, "db", "role", role, DATABASE_URL=owned)
    states = {}
    for who, url in (("owner", owned), ("role", as_role(owned, role))):
        ended = await command(tmp_path, "doctor", "database", "--format", "json", DATABASE_URL=url)
        states[who] = [row["state"] for row in ended.rows if row["check"] == "Database role"]
    assert states == {"owner": ["look"], "role": ["ok"]}


async def test_sqlite_has_no_roles(sqlite_url: str, tmp_path: Path) -> None:
    ended = await command(tmp_path, "db", "role", "bot", DATABASE_URL=sqlite_url)
    assert ended.code == 1
    assert "SQLite has no roles" in ended.words


async def test_sealing_is_for_the_owner(owned: str, role: str, tmp_path: Path) -> None:
    await command(tmp_path, "db", "role", role, DATABASE_URL=owned)
    await command(tmp_path, "grants", "add", "*", "*", DATABASE_URL=owned)
    options = ("audit", "export", "-o", "trail.jsonl")
    assert (await command(tmp_path, *options, DATABASE_URL=as_role(owned, role))).code == 0
    refused = await command(
        tmp_path, "audit", "seal", "--before", "2", "-o", "one.jsonl", DATABASE_URL=as_role(owned, role)
    )
    assert refused.code == 1
    assert "Seal as the owner of the tables." in refused.words
    assert (await command(tmp_path, "audit", "seal", "--before", "2", "-o", "one.jsonl", DATABASE_URL=owned)).code == 0
