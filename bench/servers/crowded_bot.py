"""The whole bot with thousands of runs open, which watches how late its event loop is.

All of them are due the moment it starts, as after a restart or when another replica has died. SIGUSR1 begins the
measurement; SIGUSR2 ends it and has a line of JSON printed: `lags` in milliseconds, and how many `looks` were committed.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.servers.outset import given, ready
from bench.servers.whole_bot import USERS, WORKFLOWS, policy, settings_of
from bot import bootstrap
from bot.datadog.sites import Site
from bot.domain.runs import Run, RunStep, State
from bot.policy_file.compile import compile_policy
from bot.policy_file.reader import parse_policy
from bot.storage import migrate
from bot.use_cases.apply_policy import apply_policy
from bot.use_cases.ports import Writing

TICK = 0.01  # seconds
PREFIX = "R-OPEN"


class Watch:
    """How much later than asked for the event loop comes back, tick by tick."""

    def __init__(self) -> None:
        self.lags: list[float] = []

    async def tick(self) -> None:
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(TICK)
            self.lags.append((time.perf_counter() - asked - TICK) * 1000)


def open_run(number: int, now: datetime) -> Run:
    """A run that is up to a day old, has been seen before and is due now."""
    began = now - timedelta(seconds=number * 86400 / 5000 % 86400)
    return Run(
        id=f"{PREFIX}{number:06d}",
        request_key=f"open:{number}",
        request_id=f"{number}",
        team_id="T0BENCH",
        user_id=f"U0BENCH{number % USERS:02d}",
        user_name="Some One",
        channel_id=f"C0BENCH{number % USERS:02d}",
        workflow=f"workflow-{number % WORKFLOWS}",
        title="Restart a service",
        datadog_id=f"00000000-0000-4000-8000-{number % WORKFLOWS:012d}",
        account="default",
        inputs={"service": "web", "env": "staging", "ticket": f"{number:08d}"},
        secrets={},
        definition_hash="",
        policy_version=1,
        state=State.RUNNING,
        created_at=began,
        launched_at=began,
        due=now,
        attempts=1,
        instance_id=f"{number:08d}-bbbb-4000-8000-000000000000",
        steps=[RunStep("Restart pods", "IN_PROGRESS", began)],
    )


async def serve(arguments: dict[str, Any]) -> None:
    """Run until told to stop."""
    settings = settings_of(arguments)
    await asyncio.to_thread(migrate.upgrade, settings.database_url.get_secret_value())
    local = Site("local", arguments["datadog"], arguments["datadog"])
    async with bootstrap.open_bot(settings, local) as bot:
        source = parse_policy(policy(), "workflows.yml")
        await apply_policy(
            compile_policy(source, {}),
            digest=source.digest,
            source=source.text,
            applied_by="benchmark",
            store=bot.store,
        )

        def fill(tx: Writing) -> None:
            now = datetime.now(UTC)
            for number in range(arguments["runs"]):
                tx.insert_run(open_run(number, now))

        await bot.store.write(fill)
        async with bootstrap.running(bot, settings) as port:
            await _measure(bot, port)


async def _measure(bot: bootstrap.Bot, port: int) -> None:
    loop = asyncio.get_running_loop()
    begun, over, stopping = asyncio.Event(), asyncio.Event(), asyncio.Event()
    for number, event in ((signal.SIGUSR1, begun), (signal.SIGUSR2, over), (signal.SIGTERM, stopping)):
        loop.add_signal_handler(number, event.set)
    ready(port)
    await begun.wait()
    before = await _looks(bot)
    watch = Watch()
    ticking = asyncio.create_task(watch.tick())
    await over.wait()
    ticking.cancel()
    print(json.dumps({"lags": watch.lags, "looks": await _looks(bot) - before}), flush=True)
    await stopping.wait()


async def _looks(bot: bootstrap.Bot) -> int:
    """How often the runs that were open from the beginning have been claimed: each claim is one look."""
    open_runs: list[Run] = await bot.store.read(lambda tx: tx.runs(100_000, state=State.RUNNING))
    return sum(run.token for run in open_runs if run.id.startswith(PREFIX))


if __name__ == "__main__":
    asyncio.run(serve(given()))
