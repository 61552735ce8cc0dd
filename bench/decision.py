"""Row 3: deciding, and the picker's list, as grants, people and workflows grow: each time divided by that of the smallest."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.databases import database
from bot.domain.catalogue import CatalogueEntry
from bot.domain.inputs import Input
from bot.domain.people import Actor
from bot.domain.policy import EVERYONE, Effect, Grant, Policy, decide
from bot.domain.workflows import AllowedValue, InputType
from bot.storage.engine import open_engines
from bot.storage.migrate import upgrade
from bot.storage.store import SqlStore
from bot.use_cases.choose_workflow import offers

GRANTS = (100, 1_000, 10_000, 100_000)
WORKFLOWS = (10, 100, 1_000, 10_000)
MINE = 30  # workflows that the measured person is granted by name
ME = frozenset({"U0ME", "S01SRE", EVERYONE})
ENV = Input(
    "env", InputType.STRING, options=(AllowedValue("staging", "Staging"), AllowedValue("production", "Production"))
)
VALUES = {"env": "staging"}


@dataclass(frozen=True, slots=True)
class Growth:
    """One size: the median in milliseconds, and how many times that of the smallest size it is."""

    what: str
    database: str
    size: int
    median: float
    ratio: float


def count(kinds: tuple[str, ...]) -> int:
    """How many sizes are measured."""
    return len(kinds) * (2 * len(GRANTS) + 2 * len(WORKFLOWS))


def measure(kinds: tuple[str, ...], repeats: int, advance: Callable[[str], None]) -> list[Growth]:
    """Every size on each kind of database."""
    found = []
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="workflow-bot-bench-") as folder, database(kind, Path(folder)) as url:
            upgrade(url)
            found += asyncio.run(_measure(kind, url, repeats, advance))
    return found


async def _measure(kind: str, url: str, repeats: int, advance: Callable[[str], None]) -> list[Growth]:
    store = SqlStore(*open_engines(url), None)
    store.start()
    figures: dict[str, dict[int, float]] = {}

    async def timed(what: str, size: int, work: Callable[[], Awaitable[object]]) -> None:
        advance(f"{what} on {kind}, {size:,}")
        figures.setdefault(what, {})[size] = await _median(work, repeats)

    try:
        for size in GRANTS:
            await _fill(store, 1_000, size)
            mine = await store.read(lambda tx: tx.grants(ME, _workflow(0).targets))
            await timed("decide alone, grants", size, lambda mine=mine: _alone(mine))  # type: ignore[misc]  # a lambda's default
            await timed("read and decide, grants", size, lambda: store.read(_decide))
        for size in WORKFLOWS:
            await _fill(store, size, 10_000)
            await timed(f"picker with {MINE} of the workflows", size, lambda: _picker(store, "U0ME"))
            await timed("picker with all of the workflows", size, lambda: _picker(store, "U0ALL"))
    finally:
        await store.close()
    return [
        Growth(what, kind, size, median, median / next(iter(sizes.values())))
        for what, sizes in figures.items()
        for size, median in sizes.items()
    ]


async def _median(work: Callable[[], Awaitable[object]], repeats: int) -> float:
    await work()  # statements compiled, connection open
    times = []
    for _ in range(repeats):
        before = time.perf_counter()
        await work()
        times.append((time.perf_counter() - before) * 1000)
    return statistics.median(times)


async def _alone(mine: list[Grant]) -> object:
    return decide(mine, ME, _FIRST, "C01OPS", VALUES)


def _decide(tx: Any) -> object:
    entry = tx.entry(_FIRST.name)
    decision = decide(tx.grants(ME, entry.targets), ME, entry, "C01OPS", VALUES)
    if not decision.allowed:
        raise AssertionError("the measured person may run it")
    return decision


async def _picker(store: SqlStore, user_id: str) -> object:
    found = await offers(Actor("T01", user_id), frozenset({user_id, EVERYONE}), "C01OPS", store, frozenset())
    if not found:
        raise AssertionError("the measured person may run some")
    return found


def _workflow(number: int) -> CatalogueEntry:
    return CatalogueEntry(
        f"workflow-{number}", f"id-{number}", f"Workflow {number}", tags=(f"team-{number % 50}",), inputs=(ENV,)
    )


_FIRST = _workflow(0)


async def _fill(store: SqlStore, workflows: int, grants: int) -> None:
    """A policy of this size: most grants are other people's, by name, by tag, and with conditions."""
    entries = tuple(_workflow(number) for number in range(workflows))
    mine = [Grant(Effect.ALLOW, "U0ME", one.name, "C01OPS", {"env": ("staging",)}, 1) for one in entries[:MINE]]
    mine.append(Grant(Effect.ALLOW, "U0ALL", "*", "C01OPS", rule=2))
    mine.append(Grant(Effect.DENY, EVERYONE, "tag:team-49", when={"env": ("production",)}, rule=3))
    others = [
        Grant(
            Effect.ALLOW if number % 10 else Effect.DENY,
            f"U{number:06}",
            entries[number % workflows].name if number % 3 else f"tag:team-{number % 50}",
            "C01OPS",
            {"env": ("staging",)} if number % 2 else {},
            4,
        )
        for number in range(max(0, grants - len(mine)))
    ]
    policy = Policy(entries, (*mine, *others))
    await store.write(lambda tx: tx.replace_policy(policy, digest="", source="", applied_by="bench"))


def print_growth(found: list[Growth], console: Console) -> None:
    """A table for people."""
    table = Table("what grows", "database", title="Deciding, and the picker: medians in ms, and times the smallest")
    for heading in ("size", "ms", "times the smallest"):
        table.add_column(heading, justify="right")
    for one in found:
        table.add_row(one.what, one.database, f"{one.size:,}", f"{one.median:.3f}", f"{one.ratio:.2f}")
    console.print(table)


def growth_json(found: list[Growth]) -> dict[str, Any]:
    """The same for machines."""
    return {"title": "Deciding, and the picker", "failures": [], "sizes": [asdict(one) for one in found]}
