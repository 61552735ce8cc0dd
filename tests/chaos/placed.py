"""A kill at one await: a scenario that reaches it, the kill, a restart, and the same verdict as after a storm.

Which scenario reaches which point is found out by running each once without a kill (`explore`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from tests.chaos.company import Company
from tests.chaos.fleet import Nursery, Replica
from tests.chaos.patience import until_so
from tests.chaos.people import Busy
from tests.chaos.storm import settle
from tests.chaos.verdict import Verdict

AT_ONCE = 8
SETTLED_WITHIN = 90.0
ACTS_WITHIN = 12.0
STRIKES_WITHIN = 4.0  # seconds that faults are given to strike as often as they should


@dataclass
class Case:
    """One bot, its company, and what a scenario may do with them."""

    company: Company
    replica: Replica
    busy: Busy
    hurry: dict[str, Any] = field(default_factory=dict)

    async def up(self) -> None:
        """Start the bot anew where it was killed, without a kill this time."""
        if not self.replica.alive:
            self.replica.wanted.pop("kill_at", None)
            await self.replica.start()

    async def until_it_struck(self) -> None:
        """Until what strikes a number of times has done so. What strikes for ever is the scenario's own affair."""
        slack, datadog = self.company.slack.faults, self.company.datadog.faults
        await until_so(lambda: not (datadog.times or any(fault["times"] for fault in slack.to_json()["faults"])))


@dataclass(frozen=True)
class Scenario:
    """`prepare` breaks something before the ask, `act` goes on after it, `hurry` is what this bot has no time for."""

    name: str
    prepare: Callable[[Case], Any] = lambda case: None
    act: Callable[[Case], Awaitable[None]] = lambda case: asyncio.sleep(0)
    workflow: str = "quick"
    hurry: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """`killed` is false where the point was not reached."""

    scenario: str
    point: str
    killed: bool
    verdict: Verdict


async def play(
    scenario: Scenario, nursery: Nursery, url: str, folder: Path, *, kill_at: str = "", trace: str = ""
) -> Outcome:
    """One scenario to its end, with at most one kill."""
    async with LocalSlack() as slack, LocalDatadog(cancel_seconds=0.1) as datadog:
        company = Company(slack, datadog, url)
        await company.furnish()
        replica = Replica(nursery, company.environment, folder / f"{abs(hash((scenario.name, kill_at)))}.log")
        replica.wanted = {"hurry": dict(scenario.hurry), "kill_at": kill_at, "trace": trace}
        case = Case(company, replica, Busy(slack.person("U01PERSON"), company, random.Random(1)))
        slack.bot_url = f"http://127.0.0.1:{replica.port}/slack/events"
        killed = False

        async def look_after() -> None:
            nonlocal killed
            while True:
                if not replica.alive:
                    killed = True
                    await case.up()
                await asyncio.sleep(0.02)

        await replica.start()
        looking = asyncio.create_task(look_after())
        try:
            scenario.prepare(case)
            await case.busy.type_a_command(scenario.workflow, "C01OPS")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(scenario.act(case), ACTS_WITHIN)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(case.until_it_struck(), STRIKES_WITHIN)
            verdict = await settle(company, [], within=SETTLED_WITHIN)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            await replica.kill()
        return Outcome(scenario.name, kill_at, killed, verdict)


async def explore(
    scenarios: Sequence[Scenario], nursery: Nursery, new_url: Callable[[], str], folder: Path
) -> tuple[dict[str, list[str]], list[Outcome]]:
    """The scenarios that reach each point, by the point; and what came of each scenario without a kill."""
    reached: dict[str, list[str]] = {}

    async def one(scenario: Scenario) -> Outcome:
        return await play(scenario, nursery, new_url(), folder, trace=str(folder / f"{scenario.name}.trace"))

    outcomes = await several([lambda scenario=scenario: one(scenario) for scenario in scenarios])  # type: ignore[misc]  # mypy can't type a lambda's default
    for scenario in scenarios:
        for point in (folder / f"{scenario.name}.trace").read_text().split():
            reached.setdefault(point, []).append(scenario.name)
    return reached, outcomes


async def several(work: Sequence[Callable[[], Awaitable[Outcome]]]) -> list[Outcome]:
    """Some at a time, as most of each is waiting."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(begin: Callable[[], Awaitable[Outcome]]) -> Outcome:
        async with room:
            return await begin()

    return list(await asyncio.gather(*(one(begin) for begin in work)))
