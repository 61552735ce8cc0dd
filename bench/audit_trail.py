"""Row 4: the audit trail. Appending with its chain against the same inserts without one, on one SQLite and under two replicas
on Postgres; verifying and exporting against a bare scan, and whether their memory grows with the trail."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from bench.audit_entries import entry
from bench.databases import database
from bench.processes import ROOT
from bot.storage import migrate
from bot.storage.audit import append

PEOPLE = 8  # at a time, in each replica
REPLICAS = {"sqlite": 1, "postgres": 2}
RECORDS = 100_000
GROUP = 500  # records of one transaction, where only the trail's length matters


@dataclass(frozen=True, slots=True)
class Compared:
    """What was measured of the trail, and of what it is compared with; the ratio of each round's pair, as median.

    The ratio of reading is by the processor time of whoever reads, which depends least on what else the machine does.
    """

    what: str
    database: str
    figure: float
    other: float
    ratio: float
    unit: str


def count(kinds: tuple[str, ...], rounds: int) -> int:
    """How many steps there are."""
    return len(kinds) * (2 * rounds + 3 * rounds + 4)


def measure(
    kinds: tuple[str, ...], rounds: int, seconds: float, records: int, advance: Callable[[str], None]
) -> list[Compared]:
    """Everything on each kind of database."""
    found = []
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="workflow-bot-bench-") as name:
            found.append(_appends(kind, Path(name), rounds, seconds, advance))
        with tempfile.TemporaryDirectory(prefix="workflow-bot-bench-") as name:
            found += _reads(kind, Path(name), rounds, records, advance)
    return found


def _appends(kind: str, folder: Path, rounds: int, seconds: float, advance: Callable[[str], None]) -> Compared:
    rates: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(rounds):
        for chained in (True, False) if turn % 2 else (False, True):
            advance(f"Appending on {kind}, {'chained' if chained else 'without a chain'}")
            place = folder / f"{turn}-{chained}"
            place.mkdir()
            with database(kind, place) as url:  # a new one, so that neither finds longer indexes
                migrate.upgrade(url)
                rates[chained].append(_rate(url, REPLICAS[kind], seconds, chained))
    pairs = [one / other for one, other in zip(rates[True], rates[False], strict=True)]
    figures = (statistics.median(rates[True]), statistics.median(rates[False]), statistics.median(pairs))
    what = f"appends, {REPLICAS[kind]} × {PEOPLE} at a time, against no chain"
    return Compared(what, kind, *figures, "records/s")


def _rate(url: str, replicas: int, seconds: float, chained: bool) -> float:
    """Records a second of all replicas together."""
    writers = []
    for number in range(replicas):
        given = {"url": url, "people": PEOPLE, "seconds": seconds, "chained": chained, "first": number * 10**9 + 1}
        command = [sys.executable, "-m", "bench.servers.trail_writer", json.dumps(given)]
        writers.append(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    for writer in writers:
        assert writer.stdout is not None
        assert json.loads(writer.stdout.readline())["ready"]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    done = [json.loads(writer.communicate(timeout=120)[0]) for writer in writers]
    return sum(float(one["records"]) / float(one["seconds"]) for one in done)


def _reads(kind: str, folder: Path, rounds: int, records: int, advance: Callable[[str], None]) -> list[Compared]:
    found = []
    with database(kind, folder) as url:
        migrate.upgrade(url)
        advance(f"Writing {records // 10:,} records on {kind}")
        _fill(url, 0, records // 10)
        small = {}
        for how in ("verify", "export"):
            advance(f"{how} of {records // 10:,} on {kind}")
            small[how] = _read(url, how)["peak"]
        advance(f"Writing {records:,} records on {kind}")
        _fill(url, records // 10, records)
        rates: dict[str, list[float]] = {"scan": [], "verify": [], "export": []}
        cpu: dict[str, list[float]] = {"scan": [], "verify": [], "export": []}
        peaks: dict[str, float] = {}
        for _ in range(rounds):
            for how, of_one in rates.items():
                advance(f"{how} of {records:,} on {kind}")
                read = _read(url, how)
                assert read["records"] >= records, read
                of_one.append(read["records"] / read["seconds"])
                cpu[how].append(read["cpu"])
                peaks[how] = read["peak"]
    for how in ("verify", "export"):
        pairs = [other / one for one, other in zip(cpu[how], cpu["scan"], strict=True)]
        figures = (statistics.median(rates[how]), statistics.median(rates["scan"]), statistics.median(pairs))
        found.append(Compared(f"{how} of {records:,}, against a bare scan", kind, *figures, "records/s"))
        what = f"memory to {how}, {records:,} against {records // 10:,}"
        found.append(Compared(what, kind, peaks[how], small[how], peaks[how] / small[how], "MB"))
    return found


def _fill(url: str, begin: int, end: int) -> None:
    engine = migrate.plain_engine(url)
    for first in range(begin, end, GROUP):
        with engine.begin() as connection:
            append(connection, [entry(number) for number in range(first, min(end, first + GROUP))], (b"a key",))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("VACUUM ANALYZE audit_records"))
    engine.dispose()


def _read(url: str, how: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.servers.trail_reader", json.dumps({"url": url, "how": how})]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    read: dict[str, float] = json.loads(done.stdout)
    return read


def print_compared(found: list[Compared], console: Console) -> None:
    """A table for people."""
    table = Table("what", "database", title="The audit trail: medians of the rounds")
    for heading in ("figure", "against", "ratio", "unit"):
        table.add_column(heading, justify="right")
    for one in found:
        table.add_row(one.what, one.database, f"{one.figure:,.0f}", f"{one.other:,.0f}", f"{one.ratio:.2f}", one.unit)
    console.print(table)


def compared_json(found: list[Compared]) -> dict[str, Any]:
    """The same for machines."""
    return {"title": "The audit trail", "failures": [], "compared": [asdict(one) for one in found]}
