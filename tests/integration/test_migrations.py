from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot.domain.audit_keys import NO_KEY
from bot.storage import migrate
from bot.storage.engine import open_engines
from bot.storage.store import SqlStore
from bot.storage.tables import metadata
from tests.databases import DatabaseServer
from tests.integration.chain import whole_chain
from tests.integration.command_line import command
from tests.integration.conftest import OpenStore
from tests.integration.filled import WAITING, empty_tables, fill
from tests.made_up import entry

ROOT = Path(__file__).resolve().parent.parent.parent
UPGRADE = "import sys; from bot.storage.migrate import upgrade; upgrade(sys.argv[1])"


def tables(url: str) -> set[str]:
    engine = migrate.plain_engine(url)
    try:
        return set(sa.inspect(engine).get_table_names()) - {"alembic_version"}
    finally:
        engine.dispose()


def offered(url: str) -> list[str]:
    async def read() -> list[str]:
        store = SqlStore(*open_engines(url), NO_KEY)
        found = await store.read(lambda tx: tx.listings_allowed(["U01ALICE", "*"], "C01OPS", "RESTART", 9))
        await store.close()
        return [one.name for one in found]

    return asyncio.run(read())


def test_migrations_go_up_and_down_and_up_again_with_rows_in_every_table(empty_database_url: str) -> None:
    url = empty_database_url
    assert migrate.revisions(url)[0] is None
    migrate.upgrade(url)
    current, newest = migrate.revisions(url)
    assert current == newest
    assert tables(url) == set(metadata.tables)
    fill(url)
    assert empty_tables(url) == set()
    migrate.downgrade(url, "base")
    assert tables(url) == set()
    migrate.upgrade(url)
    assert tables(url) == set(metadata.tables)
    fill(url)


def test_each_step_down_and_up_works_on_its_own(empty_database_url: str) -> None:
    scripts = ScriptDirectory(str(migrate.folder()))
    steps = [script.revision for script in scripts.walk_revisions()][::-1]
    for revision in steps:
        migrate.upgrade(empty_database_url, revision)
        assert migrate.revisions(empty_database_url)[0] == revision
    for _ in steps:
        migrate.downgrade(empty_database_url, "-1")
    assert migrate.revisions(empty_database_url)[0] is None


def test_what_a_bot_of_the_version_before_applies_is_listed_by_name(database_url: str) -> None:
    fill(database_url)
    engine = migrate.plain_engine(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM workflow_targets"))
        connection.execute(
            sa.text("INSERT INTO workflow_targets (target, workflow) VALUES ('*', :name)"), {"name": entry().name}
        )
    engine.dispose()
    assert offered(database_url) == [entry().name]


def test_what_people_may_choose_from_is_the_same_after_an_upgrade(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    fill(empty_database_url)
    before = offered(empty_database_url)
    assert before == [entry().name]
    migrate.downgrade(empty_database_url, "0002")
    migrate.upgrade(empty_database_url)
    assert offered(empty_database_url) == before


def test_before_there_were_approvals_what_waits_is_not_started_and_nothing_is_allowed_without_its_approval(
    empty_database_url: str,
) -> None:
    url = empty_database_url
    migrate.upgrade(url)
    fill(url)
    assert kept(url, "SELECT count(*) FROM grants WHERE approval IS NOT NULL AND CAST(approval AS TEXT) <> 'null'") == 1
    migrate.downgrade(url, "0001")
    assert kept(url, f"SELECT state FROM runs WHERE id = '{WAITING.id}'") == "not started"
    assert kept(url, f"SELECT count(*) FROM runs WHERE id = '{WAITING.id}' AND due IS NULL AND lock_key IS NULL") == 1
    assert kept(url, f"SELECT kind FROM messages WHERE run_id = '{WAITING.id}'") == "live"
    assert kept(url, "SELECT count(*) FROM grants") == 1
    assert kept(url, "SELECT subject FROM grants") == "*"


def kept(url: str, query: str) -> object:
    """The one value that the query finds."""
    engine = migrate.plain_engine(url)
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text(query)).scalar_one()
    finally:
        engine.dispose()


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(database_url: str) -> None:
    fill(database_url)
    migrate.upgrade(database_url)
    engine = migrate.plain_engine(database_url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM runs")).scalar() == 3
    engine.dispose()


def test_replicas_may_upgrade_at_the_same_time(empty_database_url: str) -> None:
    starts = [subprocess.Popen([sys.executable, "-c", UPGRADE, empty_database_url], cwd=ROOT) for _ in range(2)]
    assert [start.wait(60) for start in starts] == [0, 0]
    assert tables(empty_database_url) == set(metadata.tables)


async def test_an_upgrade_does_not_queue_up_for_a_table_that_somebody_holds_and_says_what_to_do(
    postgres_server: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_WAIT", 1)
    url = postgres_server.empty()
    migrate.upgrade(url, "0008")
    engine = migrate.plain_engine(url)
    with engine.connect() as reader:
        reader.execute(
            sa.text("SELECT * FROM audit_head")
        )  # in a transaction, as of a psql that somebody has left open
        ended = await command(tmp_path, "db", "upgrade", DATABASE_URL=url)
    assert ended.code == 1
    assert "Something holds a table that is to be changed" in ended.words
    assert "pg_stat_activity" in ended.words
    assert "Traceback" not in ended.words
    assert migrate.revisions(url)[0] == "0008"
    assert (await command(tmp_path, "db", "upgrade", DATABASE_URL=url)).code == 0
    engine.dispose()
    postgres_server.drop(url)


def test_the_tables_in_code_are_those_that_the_migrations_make(database_url: str) -> None:
    engine = migrate.plain_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


async def test_the_chain_starts_anew_on_a_new_database(database_url: str, open_store: OpenStore) -> None:
    store = open_store(database_url)
    assert await whole_chain(store) == []
