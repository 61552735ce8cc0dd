"""Reads a trail to its end, in one of three ways, and says how long it took and how much memory it has needed at most.

`scan`: every row, and nothing done with it. `verify`: as `audit verify`. `export`: as `audit export`, to nowhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import TextIO

import sqlalchemy as sa

from bot.evidence.lines import json_line
from bot.storage.engine import open_engines
from bot.storage.store import SqlStore
from bot.use_cases.read_audit_trail import export
from bot.use_cases.verify_trail import verify

COLUMNS = "SELECT seq, at, act, user_id, workflow, run_id, body, hash FROM audit_records ORDER BY seq"


def scan(url: str) -> int:
    writer, _ = open_engines(url)
    count = 0
    with writer.connect() as connection:
        for _ in connection.execution_options(yield_per=2000).execute(sa.text(COLUMNS)):
            count += 1
    writer.dispose()
    return count


async def _verify(store: SqlStore) -> int:
    verified = await verify(store, (b"a key",))
    assert verified.whole, verified.breaks[:3]
    return verified.records


async def _export(store: SqlStore, nowhere: TextIO) -> int:
    count = 0
    async for record in export(0, store):
        nowhere.write(json_line(record))
        count += 1
    return count


async def _read(url: str, how: str, nowhere: TextIO) -> int:
    store = SqlStore(*open_engines(url), (b"a key",))
    try:
        return await (_verify(store) if how == "verify" else _export(store, nowhere))
    finally:
        await store.close()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    began, cpu = time.perf_counter(), time.process_time()
    with Path(os.devnull).open("w", encoding="utf-8") as file:
        way = given["how"]
        records = scan(given["url"]) if way == "scan" else asyncio.run(_read(given["url"], way, file))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"records": records, "seconds": seconds, "cpu": cpu, "peak": peak}))
