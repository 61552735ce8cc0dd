"""A database with something in every table: real things in those that this file knows, and a made-up row in any other."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain.accounts import Account
from bot.domain.approvals import Approval, ApprovalState, Quorum, Requirement, Review
from bot.domain.audit import Act
from bot.domain.locks import Lock
from bot.domain.policy import Effect, Freeze, Grant, Policy
from bot.domain.replicas import Replica
from bot.domain.runs import State
from bot.storage import migrate
from bot.storage.engine import open_engines
from bot.storage.store import SqlStore
from bot.storage.tables import Moment, metadata
from bot.use_cases.ports import Authenticator
from tests.integration.chain import KEY, act
from tests.made_up import NOON, entry, facts, run

ASKED = Requirement((Quorum("managers “é”", ("U02BOB", "S01MANAGERS"), 2),), timedelta(hours=1), timedelta(minutes=20))
# With a made-up row in one of these the trail would not be whole; sealing has tests of its own.
TRAIL = {"audit_records", "audit_seals"}
POLICY = Policy(
    (entry(),),
    (Grant(Effect.ALLOW, "*", "*", rule=1), Grant(Effect.ALLOW, "U02BOB", "*", rule=2, approval=ASKED)),
    (Freeze(("*",), NOON, NOON, "a release"),),
    (Account("other", "datadoghq.eu", "A", "B", ""),),
)
ENDED = run(
    id="R-ENDED00001",
    request_key="key-2",
    state=State.SUCCEEDED,
    due=None,
    inputs={"text": "é 🙂 \u2028 \\", "big": 2**53, "none": None, "list": [1.5, True]},
    outputs={"pods": 6, "nested": {"b": 1, "a": [None]}},
    launched_at=NOON,
    ended_at=NOON,
)
WAITING = run(id="R-WAITING001", request_key="key-3", state=State.AWAITING_APPROVAL, due=None, bound_to="b" * 64)


def fill(url: str, records: int = 1, key: bytes = KEY) -> None:
    """Something in every table, and so many records in the trail."""

    def work(tx: Any) -> None:
        for one in (run(), ENDED, WAITING):
            tx.insert_run(one)
        _ask(tx)
        tx.announce_run(run(), tx.now)
        tx.announce_end(run())
        tx.add_lock(Lock(entry().name, {}, "U01ALICE", "Alice", "a deploy", NOON, NOON))
        tx.add_lock(Lock(entry().name, {"env": "staging"}, "U01ALICE", "Alice", "a deploy", NOON, NOON))
        tx.replace_policy(POLICY, digest="d" * 64, source="version: 1 # “é”", applied_by="me")
        tx.report_replica(Replica("r" * 32, "host", "0.1.0", False, NOON, NOON))
        for number in range(records):
            tx.record(replace(act(f"number-{number}"), facts=facts(Act.REQUESTED, inputs={"text": "é 🙂"})))
        for table in metadata.sorted_tables:
            count = sa.select(sa.func.count()).select_from(table)
            if table.name not in TRAIL and tx.connection.execute(count).scalar() == 0:
                tx.connection.execute(sa.insert(table), {column.name: _made_up(column) for column in table.columns})

    async def write() -> None:
        store = SqlStore(*open_engines(url), (key,))
        store.start()
        await store.write(work)
        await store.close()

    asyncio.run(write())


def _ask(tx: Any) -> None:
    """A run that waits: two have to approve, one has, with a code of an authenticator."""
    waits = Approval(WAITING.id, ApprovalState.WAITING, ASKED, WAITING.bound_to, "“é”", 1, NOON, NOON)
    tx.open_approval(waits, due=NOON)
    tx.add_review(Review(WAITING.id, "U02BOB", "Bob", True, "é 🙂", NOON, (0,), WAITING.bound_to))
    tx.announce_run(WAITING, NOON)
    tx.announce_ask(WAITING, "U02BOB")
    tx.put_authenticator(Authenticator("T01LOCAL", "U02BOB", sealed="sealed", counter=2**40))


def _made_up(column: sa.Column[Any]) -> Any:
    """Some value that the column takes."""
    match column.type:
        case sa.JSON():
            return {"b": [1.5, None, "é"], "a": True}
        case sa.LargeBinary():
            return b"\x00\xff"
        case sa.String():
            return "é"
        case Moment():
            return NOON
        case _:
            return column.type.python_type(1)


def empty_tables(url: str) -> set[str]:
    """The tables that have no row."""
    return {name for name, rows in contents(url).items() if not rows} - {"audit_seals"}


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table as it is stored, JSON as its text, in the order of the primary keys."""
    engine = migrate.plain_engine(url)
    try:
        with engine.connect() as connection:
            return {table.name: _rows(connection, table) for table in metadata.sorted_tables}
    finally:
        engine.dispose()


def _rows(connection: sa.Connection, table: sa.Table) -> list[tuple[Any, ...]]:
    columns = [sa.cast(c, sa.Text) if isinstance(c.type, sa.JSON) else c for c in table.columns]
    return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(*table.primary_key.columns))]
