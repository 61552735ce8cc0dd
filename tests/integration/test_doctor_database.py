"""Faults of the database and of the keys to what is in it, on SQLite and on Postgres; and those that only serving bots see."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bot.connections import build_sealer
from bot.domain.audit_keys import read_keys
from bot.domain.replicas import Replica
from bot.settings import read_settings
from bot.storage import migrate
from bot.storage.engine import open_engines
from bot.storage.store import SqlStore
from bot.use_cases.ports import Authenticator
from tests.integration.chain import act
from tests.integration.command_line import ROOT, bare_environment, start
from tests.integration.doctor import Installation, in_order
from tests.made_up import run

# Root may write whatever a file's mode says, unless that privilege is taken from it.
WITHOUT_PRIVILEGE = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.fixture
async def well(database_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    async with in_order(database_url, tmp_path) as installation:
        yield installation


@contextlib.asynccontextmanager
async def store_of(well: Installation) -> AsyncIterator[SqlStore]:
    store = SqlStore(*open_engines(well.environment["DATABASE_URL"]), read_keys(well.environment["AUDIT_KEY"]))
    store.start()
    try:
        yield store
    finally:
        await store.close()


def execute(well: Installation, *statements: str) -> None:
    engine = migrate.plain_engine(well.environment["DATABASE_URL"])
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


# ----------------------------------------------------------------------------------------------------------- the database


async def test_a_database_that_is_in_order_is_told_so(well: Installation) -> None:
    rows = {row["check"]: row["state"] for row in await well.doctor("database")}
    if well.environment["DATABASE_URL"].startswith("postgresql"):
        assert rows.pop("Database role") == "look"  # the tests' role owns the tables
    assert rows == dict.fromkeys(["Connection", "Schema", "Storage", "Writing", "AUDIT_KEY"], "ok")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://bot@127.0.0.1:1/bot", "Check host, port, name, role and password in DATABASE_URL"),
        ("sqlite:///no/such/folder/bot.db", "Run: workflow-bot db upgrade"),
        ("sqlite:///workflows.yml", "Check that it is an SQLite file"),
        ("mysql://bot@127.0.0.1/bot", "Use sqlite:///… or postgresql://…"),
    ],
)
async def test_a_database_that_can_not_be_opened_is_told(sqlite_url: str, tmp_path: Path, url: str, words: str) -> None:
    async with in_order(sqlite_url, tmp_path) as well:
        well.environment["DATABASE_URL"] = url
        assert words in await well.finding("Connection", "database")
        assert not (tmp_path / "no").exists()


@pytest.mark.postgres
async def test_a_database_that_is_not_on_the_server_is_told(postgres_url: str, tmp_path: Path) -> None:
    async with in_order(postgres_url, tmp_path) as well:
        well.environment["DATABASE_URL"] = postgres_url.replace("/test_", "/gone_")
        assert "does not exist" in await well.finding("Connection", "database")


async def test_a_schema_that_is_empty_behind_or_ahead_is_told(well: Installation) -> None:
    execute(well, "UPDATE alembic_version SET version_num = '9999'")
    assert "a newer version of the bot has made it" in await well.finding("Schema", "database")
    execute(well, "UPDATE alembic_version SET version_num = '0001'")
    said = await well.finding("Schema", "database")
    assert "at revision 0001; this version needs" in said
    assert "workflow-bot db upgrade" in said
    execute(well, "DELETE FROM alembic_version")
    assert "the database is empty" in await well.finding("Schema", "database")


async def test_an_sqlite_file_that_the_bot_may_not_write_is_told(sqlite_url: str, tmp_path: Path) -> None:
    async with in_order(sqlite_url, tmp_path) as well:
        folder = tmp_path / "readable"
        folder.mkdir()
        file = folder / "bot.db"
        engine = migrate.plain_engine(sqlite_url)
        with engine.connect() as connection:
            connection.connection.execute("PRAGMA journal_mode=DELETE")
            connection.rollback()
            connection.connection.execute(f"VACUUM INTO '{file}'")
        engine.dispose()
        file.chmod(0o444)
        folder.chmod(0o555)
        well.environment["DATABASE_URL"] = f"sqlite:///{file}"
        process = await asyncio.create_subprocess_exec(
            *WITHOUT_PRIVILEGE, sys.executable, "-m", "bot", "doctor", "database",
            cwd=ROOT, env=bare_environment(tmp_path, well.environment),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, words = await asyncio.wait_for(process.communicate(), 60)
        folder.chmod(0o755)
        assert process.returncode == 1, words
        assert b"fail  " in said
        assert b"readonly database" in said or b"unable to open database file" in said, (said, words)


@pytest.mark.postgres
async def test_a_postgres_that_takes_no_writes_is_told(postgres_url: str, tmp_path: Path) -> None:
    async with in_order(postgres_url, tmp_path) as well:
        name = sa.make_url(postgres_url).database
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        assert "read-only transaction" in await well.finding("Writing", "database")


@pytest.mark.postgres
async def test_a_role_that_may_not_change_the_tables_is_told(postgres_url: str, tmp_path: Path) -> None:
    url = sa.make_url(postgres_url)
    role = f"reader_of_{url.database}"
    async with in_order(postgres_url, tmp_path) as well:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
            connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
            try:
                as_reader = url.set(username=role, password="x")
                well.environment["DATABASE_URL"] = as_reader.render_as_string(hide_password=False)
                assert "permission denied" in await well.finding("Writing", "database")
                connection.execute(f"ALTER ROLE {role} NOLOGIN")
                said = await well.finding("Connection", "database")
                assert "is not permitted to log in. Check host" in said
                assert "db upgrade" not in said
            finally:
                connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.postgres
async def test_a_postgres_that_forgets_commits_is_told(postgres_url: str, tmp_path: Path) -> None:
    async with in_order(postgres_url, tmp_path) as well:
        # As behind a pooler that ignores what a connection asks for at its start.
        assert await well.states("database") <= {"ok", "look"}
        name = sa.make_url(postgres_url).database
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        assert "synchronous_commit is off" in await well.finding("Storage", "database")


async def test_sqlite_on_a_network_file_system_is_told(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr("bot.storage.condition.MOUNTS", mounts)
    folder = Path(sqlite_url.removeprefix("sqlite:///")).parent
    async with in_order(sqlite_url, tmp_path) as well:
        for kind, state in (("nfs4", "fail"), ("cifs", "fail"), ("ext4", "ok")):
            mounts.write_text(
                "21 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
                f"40 21 0:50 / {folder} rw,relatime shared:20 - {kind} server:/export rw\n"
            )
            said = await well.finding("Storage", "database", state=state)
            assert (kind in said) == (state == "fail")
        mounts.unlink()  # another system, that has no such file
        assert await well.finding("Storage", "database", state="ok")


# --------------------------------------------------------------------------------------------------------------- the keys


async def test_a_changed_encryption_key_is_told_by_what_it_does_not_open(well: Installation) -> None:
    sealer = build_sealer(read_settings(well.environment))
    async with store_of(well) as store:
        sealed = sealer.seal({"token": "very secret"})
        await store.write(lambda tx: tx.insert_run(run(id="R-SEALED0001", sealed=sealed, secrets={"token": "f"})))
        await store.write(lambda tx: tx.put_authenticator(Authenticator("T01LOCAL", "U02BOB", sealed, "", 0, 0, None)))
    assert "opens all that is sealed: 2" in await well.finding("ENCRYPTION_KEY", "database", state="ok")
    old = well.environment["ENCRYPTION_KEY"]
    for changed in ("another key", ""):
        well.environment["ENCRYPTION_KEY"] = changed
        assert (
            "doesn't open 2 of 2 sealed, such as what belongs to the authenticator of U02BOB: it was changed"
            in await well.finding("ENCRYPTION_KEY", "database")
        )
    well.environment["ENCRYPTION_KEY"] = old
    assert "fail" not in await well.states("database")


async def test_the_key_before_the_first_encryption_key_is_named(well: Installation) -> None:
    well.environment["ENCRYPTION_KEY"] = ""
    sealed = build_sealer(read_settings(well.environment)).seal({"token": "very secret"})
    async with store_of(well) as store:
        await store.write(lambda tx: tx.insert_run(run(id="R-SEALED0001", sealed=sealed, secrets={"token": "f"})))
    well.environment["ENCRYPTION_KEY"] = "a first key"
    said = await well.finding("ENCRYPTION_KEY", "database")
    assert "the old key was the signing secret, or, where there was none, the bot token" in said


async def test_a_changed_audit_key_is_told_by_the_trail(well: Installation) -> None:
    for changed in ("another key", ""):
        well.environment["AUDIT_KEY"] = changed
        said = await well.finding("AUDIT_KEY", "database")
        assert "isn't the key that record 1 of the audit trail was chained with: it was changed or is missing" in said


async def test_a_trail_that_began_without_a_key_can_be_given_one(empty_database_url: str, tmp_path: Path) -> None:
    migrate.upgrade(empty_database_url)
    async with in_order(empty_database_url, tmp_path, AUDIT_KEY="") as well:
        said = await well.finding("AUDIT_KEY", "settings", "database", state="look")
        assert "Give it one from now on, AUDIT_KEY=new,none" in said
        well.environment["AUDIT_KEY"] = "one that came later"
        said = await well.finding("AUDIT_KEY", "database")
        assert "none was set then. Set AUDIT_KEY=new,none" in said
        well.environment["AUDIT_KEY"] = "one that came later,none"
        assert "begins with the next record" in await well.finding("AUDIT_KEY", "database", state="ok")


async def test_a_key_that_was_changed_goes_with_the_trail_where_the_old_one_stands_behind_it(
    well: Installation,
) -> None:
    old = well.environment["AUDIT_KEY"]
    well.environment["AUDIT_KEY"] = f"the new one,{old}"
    assert "the newest key begins with the next record" in await well.finding("AUDIT_KEY", "database", state="ok")
    async with store_of(well) as store:
        await store.write(lambda tx: tx.record(act("one")))
    assert "fits the audit trail" in await well.finding("AUDIT_KEY", "database", state="ok")
    for keys, found in (
        ("the new one", "lacks the key that record 1 of the audit trail was chained with"),
        (f"{old},the new one", "Put the newest first"),
        (old, "was changed or is missing. Nothing can be recorded."),
    ):
        well.environment["AUDIT_KEY"] = keys
        assert found in await well.finding("AUDIT_KEY", "database")


# -------------------------------------------------------------------------------------------------- what serving bots say


def ago(**how_long: float) -> datetime:
    return datetime.now(UTC) - timedelta(**how_long)


def replica(**changes: Any) -> Replica:
    """One that has served for two hours and said its last word just now."""
    began = Replica("a" * 32, "host-1", "0.1.0", socket_mode=False, started_at=ago(hours=2), seen_at=ago())
    return replace(began, **changes)


async def report(well: Installation, *replicas: Replica) -> None:
    async with store_of(well) as store:

        def work(tx: object) -> None:
            for replica in replicas:
                tx.report_replica(replica)  # type: ignore[attr-defined]  # a transaction

        await store.write(work)


async def test_requests_that_are_refused_and_never_taken_tell_of_another_apps_secret(well: Installation) -> None:
    refused = replica(refused=7, refused_at=ago(minutes=2))
    await report(well, refused)
    said = await well.finding("SLACK_SIGNING_SECRET", "slack")
    assert "7 signed request(s) were refused" in said
    assert "another app's secret" in said
    await report(well, replace(refused, heard_at=ago(minutes=1)))
    assert "Slack's last request was taken" in await well.finding("SLACK_SIGNING_SECRET", "slack", state="ok")


async def test_a_command_that_people_type_and_the_setting_does_not_name_is_told(well: Installation) -> None:
    await report(well, replica(command="/wf", heard_at=ago()))
    assert "Set SLACK_COMMAND=/wf" in await well.finding("SLACK_COMMAND", "slack")


async def test_an_app_token_of_another_app_is_told_by_its_socket(well: Installation) -> None:
    well.environment["SLACK_APP_TOKEN"] = well.slack.app_token
    await report(well, replica(socket_mode=True, app_id="A0OTHER", connections=1, connected_at=ago()))
    said = await well.finding("SLACK_APP_TOKEN", "slack")
    assert "belongs to the app A0OTHER, and SLACK_BOT_TOKEN to A01LOCAL" in said


async def test_a_second_deployment_on_one_app_is_told_by_the_count_of_sockets(well: Installation) -> None:
    one = replica(socket_mode=True, connections=1, connected_at=ago(hours=2))
    two = replace(one, id="b" * 32, host="host-2", started_at=ago(minutes=9), connected_at=ago(minutes=9))
    await report(well, one, replace(two, connections=2))
    assert await well.states("serving") == {"ok"}
    await report(well, replace(two, connections=3))
    assert "1 more socket(s) of this app than this database has bots" in await well.finding("Deployments", "serving")


async def test_a_bot_that_fell_silent_and_versions_that_differ_are_told(well: Installation) -> None:
    await report(well, replica(seen_at=ago(minutes=5)))
    assert "host-1 said its last word" in await well.finding("Replicas", "serving")
    await report(well, replica(id="b" * 32), replica(id="c" * 32, version="0.2.0"))
    said = await well.finding("Replicas", "serving", state="look")
    assert "host-1 said its last word" in said
    assert "of versions 0.1.0 and 0.2.0" in said


async def test_a_port_that_a_stranger_took_from_the_bot_of_this_machine_is_told(well: Installation) -> None:
    await report(well, replica(host=socket.gethostname()[:255]))
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        well.environment["PORT"] = str(stranger.getsockname()[1])
        answering = asyncio.create_task(asyncio.to_thread(_turn_away, stranger))
        assert "address already in use" in await well.finding("PORT", "serving")
        await answering


def _turn_away(listening: socket.socket) -> None:
    listening.settimeout(30)
    connection, _ = listening.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")


@pytest.mark.parametrize("door", ["http", "socket"])
async def test_a_bot_that_serves_says_so_and_takes_its_word_back_when_it_stops(well: Installation, door: str) -> None:
    if door == "socket":
        well.environment["SLACK_APP_TOKEN"] = well.slack.app_token
    process = await start(well.folder, "serve", **well.environment)
    try:
        async with asyncio.timeout(60):
            while "ok" not in {r["state"] for r in await well.doctor("serving") if r["check"] == "Replicas"}:
                assert process.returncode is None
        process.terminate()
        await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert "nothing serves from this database" in await well.finding("Replicas", "serving", state="look")
