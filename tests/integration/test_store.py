from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from bot.domain.errors import NotRecorded, Refused
from bot.domain.policy import Policy
from bot.storage.engine import open_engines
from bot.storage.store import GROUP, SqlStore, Transaction
from bot.storage.tables import policies
from bot.use_cases.apply_policy import apply_policy, policy_in_force
from tests.integration.chain import act, whole_chain
from tests.integration.conftest import OpenStore
from tests.made_up import NOON, run

ROOT = Path(__file__).resolve().parent.parent.parent


async def test_many_writes_at_once_are_committed_in_the_order_they_came(store: SqlStore) -> None:
    count = 3 * GROUP

    async def write(number: int) -> int:
        def work(tx: Any) -> int:
            tx.record(act(f"w{number}"))
            return number

        return await store.write(work)

    assert await asyncio.gather(*(write(number) for number in range(count))) == list(range(count))
    assert [body["workflow"] for body in await whole_chain(store)] == [f"w{number}" for number in range(count)]


async def test_a_work_that_fails_in_a_group_fails_alone(store: SqlStore) -> None:
    def good(tx: Any, name: str) -> bool:
        tx.record(act(name))
        return bool(tx.insert_run(run(id=f"R-{name}", request_key=name)))

    def bad(tx: Any) -> None:
        tx.insert_run(run(id="R-bad", request_key="bad"))
        tx.record(act("bad"))
        raise LookupError("mine alone")

    works = [store.write(lambda tx: good(tx, "one")), store.write(bad), store.write(lambda tx: good(tx, "two"))]
    one, failed, two = await asyncio.gather(*works, return_exceptions=True)
    assert [one, two] == [True, True]
    assert isinstance(failed, LookupError)
    assert [body["workflow"] for body in await whole_chain(store)] == ["one", "two"]
    assert await store.read(lambda tx: tx.run("R-bad")) is None


async def test_a_statement_that_the_database_refuses_takes_nobody_else_down(store: SqlStore) -> None:
    def broken(tx: Any) -> None:
        tx.record(act("broken"))
        tx.connection.execute(sa.text("INSERT INTO no_such_table VALUES (1)"))

    def good(tx: Any) -> str:
        tx.record(act("good"))
        return "done"

    results = await asyncio.gather(store.write(good), store.write(broken), store.write(good), return_exceptions=True)
    assert [results[0], results[2]] == ["done", "done"]
    assert isinstance(results[1], NotRecorded)
    assert [body["workflow"] for body in await whole_chain(store)] == ["good", "good"]


async def test_a_caller_that_is_cancelled_does_not_cancel_the_work(store: SqlStore) -> None:
    running, go_on = threading.Event(), threading.Event()

    def work(tx: Any) -> None:
        running.set()
        go_on.wait(10)
        tx.record(act("kept"))

    caller = asyncio.create_task(store.write(work))
    await asyncio.to_thread(running.wait, 10)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    await store.write(_record("after"))
    assert [body["workflow"] for body in await whole_chain(store)] == ["kept", "after"]


async def test_closing_commits_what_still_waits(database_url: str, open_store: OpenStore) -> None:
    closing = SqlStore(*open_engines(database_url), (b"audit key",))
    closing.start()
    writes = [asyncio.create_task(closing.write(_record(f"w{number}"))) for number in range(5)]
    await asyncio.sleep(0)
    await closing.close()
    await asyncio.gather(*writes)
    assert len(await whole_chain(open_store(database_url))) == 5


async def test_what_is_rolled_back_leaves_no_audit_record(store: SqlStore) -> None:
    def work(tx: Any) -> None:
        tx.record(act("never"))
        tx.insert_run(run())
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await store.write(work)
    assert await whole_chain(store) == []
    assert await store.read(lambda tx: tx.runs(10)) == []
    await store.write(_record("first"))
    assert [body["seq"] for body in await whole_chain(store)] == [1]


async def test_the_audit_trail_can_only_be_added_to(store: SqlStore) -> None:
    await store.write(_record("one"))
    statements = [
        "UPDATE audit_records SET act = 'denied'",
        "DELETE FROM audit_records",
        "TRUNCATE audit_records",
        "INSERT OR REPLACE INTO audit_records SELECT * FROM audit_records",
        "INSERT INTO audit_records SELECT * FROM audit_records",
    ]
    for statement in statements:

        def work(tx: Any, text: str = statement) -> None:
            tx.connection.execute(sa.text(text))

        with pytest.raises(NotRecorded):
            await store.write(work)
    assert [body["workflow"] for body in await whole_chain(store)] == ["one"]


@pytest.mark.postgres
async def test_two_replicas_write_one_chain(postgres_url: str, open_store: OpenStore) -> None:
    stores = [open_store(postgres_url), open_store(postgres_url)]

    async def write_many(store: SqlStore, name: str) -> None:
        for number in range(20):
            await asyncio.gather(*(store.write(_record(f"{name}{number}{letter}")) for letter in "xyz"))

    await asyncio.gather(write_many(stores[0], "a"), write_many(stores[1], "b"))
    bodies = await whole_chain(stores[0])
    assert len({body["workflow"] for body in bodies}) == 120
    assert [body["at"] for body in bodies] == sorted(body["at"] for body in bodies)


WRITER = """
import asyncio, sys
from bot.domain.audit import Act, Entry
from bot.domain.policy import Policy
from bot.storage.engine import open_engines
from bot.storage.store import SqlStore

async def write(url, name):
    store = SqlStore(*open_engines(url), (b"audit key",))
    store.start()
    def work(tx, number):
        tx.record(Entry(Act.CANCEL_DENIED, "T01", "U01", workflow=f"{name}{number}", facts={"channel": "C01OPS"}))
    for number in range(40):
        await store.write(lambda tx: work(tx, number))
    await store.close()

asyncio.run(write(*sys.argv[1:]))
"""


async def test_two_processes_write_one_chain_on_sqlite(sqlite_url: str, open_store: OpenStore) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, sqlite_url, name], cwd=ROOT) for name in "ab"]  # noqa: ASYNC220 - nothing else runs in this loop
    for writer in writers:
        assert await asyncio.to_thread(writer.wait, 60) == 0
    assert len(await whole_chain(open_store(sqlite_url))) == 80


def test_another_process_that_comes_and_goes_takes_nothing_from_a_database_that_is_open(sqlite_url: str) -> None:
    writer, reader = open_engines(sqlite_url)
    with writer.begin() as first:
        first.execute(sa.text("CREATE TABLE kept (n INTEGER)"))
    with reader.connect(), reader.connect():
        pass  # connections that come later, beside the writer's, which stays open
    path = sqlite_url.removeprefix("sqlite:///")
    look = f"import sqlite3; c = sqlite3.connect({path!r}); c.execute('SELECT * FROM kept').fetchall(); c.close()"
    subprocess.run([sys.executable, "-c", look], check=True)
    assert Path(f"{path}-wal").exists()  # whoever takes themselves for the last one deletes it, with what is in it
    writer.dispose()
    reader.dispose()


async def test_a_database_without_tables_is_told_as_not_recorded(
    empty_database_url: str, open_store: OpenStore
) -> None:
    store = open_store(empty_database_url)
    for ask in (store.read(lambda tx: tx.policy_version()), store.write(_record("one"))):
        with pytest.raises(NotRecorded) as error:
            await ask
        assert "nothing was started" in str(error.value)  # a person's words; a log has the database's
        assert re.search(r"no such table|does not exist", error.value.cause)


def _take_away(path: Path) -> None:
    path.rename(path.with_suffix(".away"))
    path.mkdir()


def _bring_back(path: Path) -> None:
    path.rmdir()
    path.with_suffix(".away").rename(path)


async def test_a_database_that_went_away_is_told_and_written_again_when_it_is_back(
    sqlite_url: str, open_store: OpenStore
) -> None:
    store = open_store(sqlite_url)
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    await store.write(_record("before"))
    store._writer.dispose()  # as if every connection had been lost
    _take_away(path)
    with pytest.raises(NotRecorded):
        await store.write(_record("never"))
    _bring_back(path)
    await store.write(_record("after"))
    assert [body["workflow"] for body in await whole_chain(store)] == ["before", "after"]


async def test_a_read_only_sqlite_file_records_nothing(sqlite_url: str, open_store: OpenStore) -> None:
    store = open_store(f"{sqlite_url}")

    def work(tx: Any) -> None:
        tx.record(act("never"))

    def make_read_only(tx: Any) -> None:
        tx.connection.execute(sa.text("PRAGMA query_only = ON"))

    await store.write(make_read_only)
    with pytest.raises(NotRecorded):
        await store.write(work)


@pytest.mark.postgres
async def test_a_server_that_cuts_every_connection_is_written_to_again(
    postgres_url: str, postgres_server: Any, open_store: OpenStore
) -> None:
    store = open_store(postgres_url)
    await store.write(_record("before"))
    await store.read(lambda tx: tx.policy_version())
    database = sql.Literal(psycopg.conninfo.conninfo_to_dict(postgres_url)["dbname"])
    cut = sql.SQL(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {} AND pid <> pg_backend_pid()"
    )
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
        await connection.execute(cut.format(database))
    await store.write(_record("after"))  # tried once more on a new connection, so nobody notices
    assert [body["workflow"] for body in await whole_chain(store)] == ["before", "after"]


@pytest.mark.postgres
async def test_a_database_that_does_not_answer_is_told_as_not_recorded(open_store: OpenStore) -> None:
    store = open_store("postgresql://bot@127.0.0.1:1/bot")
    with pytest.raises(NotRecorded):
        await store.write(_record("never"))
    with pytest.raises(NotRecorded):
        await store.read(lambda tx: tx.policy_version())


async def test_moments_come_back_in_utc(store: SqlStore) -> None:
    def work(tx: Any) -> None:
        tx.insert_run(run(launched_at=NOON))
        tx.replace_policy(Policy(), digest="d" * 64, source="", applied_by="me")

    await store.write(work)
    found = await store.read(lambda tx: tx.run("R-0123456789"))
    assert found is not None
    assert (found.created_at, found.launched_at) == (NOON, NOON)

    def applied_at(tx: Any) -> Any:
        return (tx.connection.execute(sa.select(policies.c.applied_at))).scalar_one()

    assert (await store.read(applied_at)).tzinfo is not None


def _record(name: str) -> Any:
    def work(tx: Any) -> None:
        tx.record(act(name))

    return work


async def test_a_plan_is_outdated_by_a_policy_that_is_applied_while_the_one_before_is_read(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, all_grants = asyncio.get_running_loop(), Transaction.all_grants
    applied: dict[str, Any] = {"digest": "d" * 64, "source": "", "store": store}

    def and_another_is_applied(tx: Transaction) -> Any:
        found, another = all_grants(tx), apply_policy(Policy(), **applied, applied_by="another")
        asyncio.run_coroutine_threadsafe(another, loop).result(30)
        return found

    monkeypatch.setattr(Transaction, "all_grants", and_another_is_applied)
    version, _ = await policy_in_force(store)
    with pytest.raises(Refused, match="make a new plan"):
        await apply_policy(Policy(), **applied, applied_by="me", planned_on=version)


def test_without_postgres_its_driver_is_not_imported() -> None:
    program = "import sys, bot.__main__, bot.cli.serve, bot.bootstrap; print('psycopg' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"
