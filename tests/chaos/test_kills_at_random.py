"""A short run of the random chaos, on both databases at once; `make chaos` has the long one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.chaos.storm import Plan, run_storm

PLAN = Plan(runs=40, kills=5, stops=1, restarts=1, seed=7, minutes=1.0, rate=8.0)


@pytest.mark.slow
@pytest.mark.postgres
async def test_nothing_is_executed_twice_lost_stuck_or_unanswered() -> None:
    storms = await asyncio.gather(*(run_storm(replace(PLAN, database=name)) for name in ("sqlite", "postgres")))
    for storm in storms:
        assert storm.verdict.clean, f"{storm.plan.database}: {storm.verdict}\nlogs: {storm.logs}"
        assert storm.verdict.counts["executed"] > 15
        assert storm.quota.done["kills"] >= 3
