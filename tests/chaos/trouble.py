"""What breaks, at random: replicas are killed and stopped, Postgres crashes, Slack and Datadog are cut off or lose answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.chaos.company import Company
from tests.chaos.fleet import Replica
from tests.chaos.postgres import CrashablePostgres

STOPPED_FOR = (3.5, 5.0)  # seconds; a victim's lease is 3


@dataclass
class Quota:
    """How much has to break before it is enough, and what has so far."""

    kills: int
    stops: int
    restarts: int
    done: dict[str, int] = field(default_factory=lambda: {"kills": 0, "stops": 0, "restarts": 0, "outages": 0})

    @property
    def met(self) -> bool:
        return all(self.done[name] >= getattr(self, name) for name in ("kills", "stops", "restarts"))


class Trouble:
    """Makes trouble until told to end. One kind at a time for each replica, several kinds at once over all."""

    def __init__(
        self,
        company: Company,
        replicas: list[Replica],
        postgres: CrashablePostgres | None,
        quota: Quota,
        chosen: random.Random,
    ) -> None:
        self._company, self._replicas, self._postgres = company, replicas, postgres
        self.quota, self._random = quota, chosen

    async def replica_trouble(self, replica: Replica, over: asyncio.Event, pause: float) -> None:
        """Kill or stop one replica again and again. It is up when this ends."""
        while not over.is_set():
            await _sleep(over, self._random.expovariate(1 / pause))
            if over.is_set():
                break
            done, quota = self.quota.done, self.quota
            stops_left, kills_left = max(0, quota.stops - done["stops"]), max(0, quota.kills - done["kills"])
            if self._random.random() * (stops_left * 2 + kills_left + 0.5) < stops_left * 2:
                done["stops"] += 1
                replica.stop()
                await asyncio.sleep(self._random.uniform(*STOPPED_FOR))
                if self._random.random() < 0.15:
                    done["kills"] += 1
                    await replica.kill()
                    await replica.start()
                else:
                    replica.go_on()
            elif kills_left:
                done["kills"] += 1
                if self._random.random() < 0.1:
                    await replica.terminate()  # a rolling restart, which has to lose nothing either
                else:
                    await replica.kill()
                await asyncio.sleep(self._random.uniform(0, 0.5))
                await replica.start()
            if not replica.alive:
                await replica.start()

    async def postgres_trouble(self, over: asyncio.Event, pause: float) -> None:
        """Crash Postgres and start it again, some time later."""
        if self._postgres is None:
            return
        while not over.is_set():
            await _sleep(over, self._random.expovariate(1 / pause))
            if over.is_set() or self.quota.done["restarts"] >= self.quota.restarts:
                continue
            self.quota.done["restarts"] += 1
            await asyncio.to_thread(self._postgres.crash)
            await asyncio.sleep(self._random.uniform(0, 1.5))
            await asyncio.to_thread(self._postgres.start)

    async def outages(self, over: asyncio.Event, pause: float) -> None:
        """One outage after the other, each mended before the next."""
        slack, datadog = self._company.slack, self._company.datadog
        kinds: list[Callable[[], Awaitable[None]]] = [self._slack_outage, self._datadog_outage, self._lost_answers]
        while not over.is_set():
            await _sleep(over, self._random.expovariate(1 / pause))
            if over.is_set():
                break
            self.quota.done["outages"] += 1
            await self._random.choice(kinds)()
            await _sleep(over, self._random.uniform(0.5, 3.0))
            slack.faults.clear()
            datadog.faults.clear()

    async def _slack_outage(self) -> None:
        faults, method = self._company.slack.faults, self._random.choice(["*", "chat.postMessage", "chat.update"])
        kind = self._random.choice(["dropped", "answer lost", "error", "unavailable", "limited", "slow"])
        if kind == "dropped":
            faults.drop(method, times=None)
        elif kind == "answer lost":
            faults.drop(method, times=self._random.randint(1, 3), after=True)
        elif kind == "error":
            faults.fail(method, "internal_error", times=self._random.randint(1, 10))
        elif kind == "unavailable":
            faults.fail(method, "service_unavailable", status=503)
        elif kind == "limited":
            faults.fail(method, "ratelimited", status=429, retry_after=self._random.choice([1, 2]))
        else:
            faults.delay = self._random.uniform(0.2, 1.5)

    async def _datadog_outage(self) -> None:
        faults, operation = (
            self._company.datadog.faults,
            self._random.choice(["", "execute", "get_instance", "list_instances", "cancel"]),
        )
        status = self._random.choice([429, 500, 502, 403, 400, 404])
        if operation in ("", "get_instance") and status == 404:
            status = 503
        headers = {"X-RateLimit-Reset": "1"} if status == 429 else {}
        slow = self._random.random() < 0.25
        faults.from_json({"delay": self._random.uniform(0.2, 1.6)} if slow else {"status": status, "on": operation})
        faults.headers = headers

    async def _lost_answers(self) -> None:
        lost = self._random.choice(["500", "502", "drop", "garbage", "slow:0.6", "slow:1.4"])
        self._company.datadog.faults.from_json({"fail_after_accept": lost, "times": self._random.randint(1, 4)})


async def _sleep(over: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(over.wait(), seconds)
    except TimeoutError:
        pass
