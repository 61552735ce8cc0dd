"""Random chaos: people ask for runs while everything breaks; then everything is mended, and it is counted what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import NotRecorded
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from tests.chaos.company import PEOPLE, Company
from tests.chaos.fleet import Nursery, Replica, balancer
from tests.chaos.people import Busy
from tests.chaos.postgres import CrashablePostgres, crashable_postgres
from tests.chaos.trouble import Quota, Trouble
from tests.chaos.verdict import Verdict, judge

SETTLED_WITHIN = 120.0  # seconds after everything is mended


@dataclass(frozen=True)
class Plan:
    """What a storm has to reach. `minutes` ends it early, whatever was reached."""

    database: str = "sqlite"
    runs: int = 200
    kills: int = 20
    stops: int = 4
    restarts: int = 2
    replicas: int = 0  # 0: one on SQLite, three on Postgres
    seed: int = 1
    minutes: float = 15.0
    rate: float = 4.0  # deeds of people a second

    @property
    def processes(self) -> int:
        return self.replicas or (1 if self.database == "sqlite" else 3)


@dataclass
class Storm:
    """What happened."""

    plan: Plan
    verdict: Verdict
    quota: Quota
    seconds: float
    logs: str


Progress = Callable[[Company, Quota], None]


async def run_storm(plan: Plan, progress: Progress = lambda company, quota: None, keep: Path | None = None) -> Storm:
    """One storm from its beginning to its verdict. `keep` is a folder for the logs of the bots."""
    folder = Path(tempfile.mkdtemp(prefix="workflow-bot-chaos-", dir=keep))
    began = time.monotonic()
    async with _scene(plan, folder) as (company, replicas, postgres, chosen):
        quota = Quota(plan.kills, plan.stops, plan.restarts if postgres else 0)
        trouble = Trouble(company, replicas, postgres, quota, chosen)
        await _blow(plan, company, replicas, trouble, progress)
        verdict = await settle(company, replicas)
    return Storm(plan, verdict, quota, time.monotonic() - began, str(folder))


@contextlib.asynccontextmanager
async def _scene(
    plan: Plan, folder: Path
) -> AsyncIterator[tuple[Company, list[Replica], CrashablePostgres | None, random.Random]]:
    chosen = random.Random(plan.seed)
    async with contextlib.AsyncExitStack() as stack:
        postgres = stack.enter_context(crashable_postgres()) if plan.database == "postgres" else None
        url = postgres.new_database("chaos") if postgres else f"sqlite:///{folder / 'chaos.db'}"
        slack = await stack.enter_async_context(LocalSlack())
        datadog = await stack.enter_async_context(LocalDatadog())
        company = Company(slack, datadog, url)
        await company.furnish()
        nursery = await stack.enter_async_context(Nursery())
        replicas = [
            Replica(nursery, company.environment, folder / f"bot-{number}.log") for number in range(plan.processes)
        ]
        await asyncio.gather(*(replica.start() for replica in replicas))
        door = await stack.enter_async_context(balancer(replicas, chosen))
        slack.bot_url = f"{door}/slack/events"
        yield company, replicas, postgres, chosen


async def _blow(plan: Plan, company: Company, replicas: list[Replica], trouble: Trouble, progress: Progress) -> None:
    over, until = asyncio.Event(), time.monotonic() + plan.minutes * 60
    chosen = random.Random(plan.seed + 1)
    # The kills are spread over the time that the runs will take.
    expected = plan.runs / plan.rate
    between = max(0.3, expected * plan.processes / max(1, plan.kills + plan.stops) - 1.0)
    breaking = [
        *(asyncio.create_task(trouble.replica_trouble(replica, over, between)) for replica in replicas),
        asyncio.create_task(trouble.postgres_trouble(over, max(2.0, expected / (plan.restarts + 1)))),
        asyncio.create_task(trouble.outages(over, 4.0)),
    ]
    pause = len(PEOPLE) / plan.rate
    people = [
        asyncio.create_task(
            _live(Busy(company.slack.person(user), company, random.Random(f"{plan.seed} {user}")), chosen, pause, over)
        )
        for user in PEOPLE
    ]
    while time.monotonic() < until:
        progress(company, trouble.quota)
        if len(company.asks) >= plan.runs and trouble.quota.met:
            break
        for task in (*breaking, *people):
            if task.done():
                task.result()
        await asyncio.sleep(0.5)
    over.set()
    await asyncio.gather(*breaking, *people)
    progress(company, trouble.quota)


async def _live(busy: Busy, chosen: random.Random, pause: float, over: asyncio.Event) -> None:
    while not over.is_set():
        await asyncio.sleep(chosen.uniform(0, 2 * pause))
        await busy.deed()


async def settle(company: Company, replicas: list[Replica], within: float = SETTLED_WITHIN) -> Verdict:
    """Mend everything, and look until all is well or the time is over."""
    company.mend()
    for replica in replicas:
        replica.go_on()
        if not replica.alive:
            await replica.start()
    end = time.monotonic() + within
    while True:
        verdict = None
        try:
            verdict = await judge(company)
        except NotRecorded:
            pass  # the database is just coming back
        if verdict is not None and (verdict.clean or time.monotonic() > end):
            return verdict
        await asyncio.sleep(1.0)
