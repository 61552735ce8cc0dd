"""A replica that appends audit records: `people` at a time, each the next as soon as its last is durable.

Says one line when it is ready, begins at a line on its standard input, and says how much it has appended. Without a chain
it makes the same inserts and takes neither the head's row nor a hash.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bench.audit_entries import entry
from bot.domain.audit import GENESIS, Draft, Entry
from bot.domain.audit_keys import Keys
from bot.storage import store as storage
from bot.storage.audit import _STATEMENTS, iso
from bot.storage.engine import open_engines
from bot.storage.store import SqlStore


def unchained(first: int) -> Any:
    """What stands in for appending to the chain: numbers of its own, no head, no hash."""
    numbers: Iterator[int] = itertools.count(first)

    def append(connection: sa.Connection, entries: Sequence[Entry], keys: Keys) -> None:
        if not entries:
            return
        at = datetime.now(UTC)
        moment = at if connection.dialect.name == "postgresql" else f"{at:%Y-%m-%d %H:%M:%S.%f}"
        rows = []
        for one, draft in [(one, Draft(one)) for one in entries]:
            seq = next(numbers)
            who = (one.act.value, one.user_id, one.workflow, one.run_id)
            rows.append((seq, moment, *who, draft.body(seq, iso(at), GENESIS), GENESIS))
        connection.exec_driver_sql(_STATEMENTS[connection.dialect.name].insert, rows)

    return append


async def _append(store: SqlStore, until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        await store.write(lambda tx, number=count: tx.record(entry(number)))  # type: ignore[misc]  # a lambda's default
        count += 1
    return count


async def _main(url: str, people: int, seconds: float) -> None:
    store = SqlStore(*open_engines(url), (b"a key",))
    store.start()
    await store.write(lambda tx: tx.record(entry(0)))  # connected, statements built
    print(json.dumps({"ready": True}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began = time.perf_counter()
    counts = await asyncio.gather(*(_append(store, began + seconds) for _ in range(people)))
    print(json.dumps({"records": sum(counts), "seconds": time.perf_counter() - began}), flush=True)
    await store.close()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if not given["chained"]:
        vars(storage)["append"] = unchained(given["first"])
    asyncio.run(_main(given["url"], given["people"], given["seconds"]))
