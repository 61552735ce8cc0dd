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

from bench.databases import database, tidy
from bot.domain.audit_keys import NO_KEY
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
RULES = 10_000
A_RULE = 10  # people whom a rule names, each in one rule alone, and a user group beside them
GROUPS = 500
TEAMS = 50  # tags; each workflow has one
MINE = 30  # workflows that the measured person is granted by name
PICKERS = {
    "U0ME": f"{MINE} of the workflows",
    "U0ALL": "all by *",
    "U0TAGS": "all by their tags",
    "U0NAMES": "all by their names",
}
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
    return len(kinds) * (2 * len(GRANTS) + (len(PICKERS) + 1) * len(WORKFLOWS))


def measure(kinds: tuple[str, ...], repeats: int, advance: Callable[[str], None]) -> list[Growth]:
    """Every size on each kind of database."""
    found = []
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="workflow-bot-bench-") as folder, database(kind, Path(folder)) as url:
            upgrade(url)
            found += asyncio.run(_measure(kind, url, repeats, advance))
    return found


async def _measure(kind: str, url: str, repeats: int, advance: Callable[[str], None]) -> list[Growth]:
    store = SqlStore(*open_engines(url), NO_KEY)
    store.start()
    figures: dict[str, dict[int, float]] = {}

    async def timed(what: str, size: int, work: Callable[[], Awaitable[object]]) -> None:
        advance(f"{what} on {kind}, {size:,}")
        figures.setdefault(what, {})[size] = await _median(work, repeats)

    try:
        for size in GRANTS:
            await _fill(store, 1_000, size)
            tidy(url)
            mine = await store.read(lambda tx: tx.grants(ME, _workflow(0).targets))
            await timed("decide alone, grants", size, lambda mine=mine: _alone(mine))  # type: ignore[misc]  # a lambda's default
            await timed("read and decide, grants", size, lambda: store.read(_decide))
        for size in WORKFLOWS:
            await _fill(store, size, RULES * A_RULE)
            tidy(url)
            for person, what in PICKERS.items():
                await timed(f"picker, {what}", size, lambda person=person: _picker(store, person))  # type: ignore[misc]  # a lambda's default
            await timed("groups that grants name", size, lambda: store.read(lambda tx: tx.groups_named()))
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
        f"workflow-{number}", f"id-{number}", f"Workflow {number}", tags=(f"team-{number % TEAMS}",), inputs=(ENV,)
    )


_FIRST = _workflow(0)


async def _fill(store: SqlStore, workflows: int, grants: int) -> None:
    """A policy of this size: one grant for each of so many people, ten of them and a group a rule, by name or by tag, every
    other rule with a condition; and what the measured people have."""
    entries = tuple(_workflow(number) for number in range(workflows))
    staging = {"env": ("staging",)}
    few = [Grant(Effect.ALLOW, "U0ME", one.name, "C01OPS", staging, 1) for one in entries[:MINE]]
    few.append(Grant(Effect.ALLOW, "U0ALL", "*", "C01OPS", rule=2))
    few.append(Grant(Effect.DENY, EVERYONE, "tag:team-49", when={"env": ("production",)}, rule=3))
    few += [Grant(Effect.ALLOW, "U0TAGS", f"tag:team-{number}", "C01OPS", staging, 4) for number in range(TEAMS)]
    named = [Grant(Effect.ALLOW, "U0NAMES", one.name, "C01OPS", staging, 5) for one in entries]
    others = [
        Grant(
            Effect.ALLOW if number % 10 else Effect.DENY,
            subject,
            entries[number // A_RULE % workflows].name if number // A_RULE % 3 else f"tag:team-{number % TEAMS}",
            "C01OPS",
            staging if number // A_RULE % 2 else {},
            6 + number // A_RULE,
        )
        for number in range(grants)
        for subject in ([f"U{number:06}"] if number % A_RULE else [f"U{number:06}", f"S{number // A_RULE % GROUPS:03}"])
    ]
    policy = Policy(entries, (*few, *named, *others))
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
