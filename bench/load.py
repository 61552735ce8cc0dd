"""The load, a program of its own: so many people, each doing the next thing when the last is done, for so long.

Its argument is a job (see `Job`) as JSON; its answer is a line of JSON (see `Load.result`). Times in milliseconds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.http_connection import Connection, connect
from bench.requests_from_slack import command, submission, user_of

PATIENCE = 30.0  # seconds that a message is waited for


@dataclass(frozen=True, slots=True)
class Job:
    """`people` at once for `seconds`, at most `limit` requests, numbered from `first`.

    `text` is the slash command's; where it is None, forms made from `view` are submitted. `waits_for_message` is whether
    a person goes on only when the answer has been posted, of which the stand-ins tell at `orders`.
    """

    port: int
    people: int
    seconds: float
    limit: int
    first: int
    text: str | None = None
    view: dict[str, Any] | None = None
    waits_for_message: bool = False
    orders: int = 0

    def dump(self) -> str:
        return json.dumps(asdict(self))


@dataclass(slots=True)
class Load:
    """One job being done."""

    job: Job
    acks: list[float] = field(default_factory=list)
    wholes: list[float] = field(default_factory=list)
    done: int = 0
    unposted: int = 0
    refused: list[str] = field(default_factory=list)
    waiting: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    async def run(self) -> dict[str, Any]:
        job = self.job
        requests = [self._request(number) for number in range(job.limit)]
        connections = [await connect(job.port) for _ in range(job.people)]
        watching = asyncio.create_task(self._watch()) if job.waits_for_message else None
        await asyncio.sleep(0.05)
        gc.freeze()
        gc.disable()
        began = time.perf_counter()
        deadline = began + job.seconds
        await asyncio.gather(*(self._person(p, connections[p], requests, deadline) for p in range(job.people)))
        ended = time.perf_counter()
        if watching is not None:
            watching.cancel()
        # Everything, over the time until the last of it was done: what is begun in time is brought to its end.
        return self.result(ended - began)

    def result(self, seconds: float) -> dict[str, Any]:
        return {
            "sent": len(self.acks),
            "rate": self.done / seconds,
            "acks": self.acks,
            "wholes": self.wholes,
            "unposted": self.unposted,
            "refused": self.refused[:3],
        }

    def _request(self, number: int) -> bytes:
        job, person = self.job, number % self.job.people
        if job.view is not None:
            return submission(job.first + number, person, job.view)
        return command(job.first + number, person, job.text or "")

    async def _person(self, person: int, connection: Connection, requests: list[bytes], deadline: float) -> None:
        for number in range(person, len(requests), self.job.people):
            began = time.perf_counter()
            if began >= deadline:
                break
            if not connection.usable:
                connection = await connect(self.job.port)
            posted = self._expect(number, person)
            answer = await connection.send(requests[number])
            acked = time.perf_counter()
            self.acks.append((acked - began) * 1000)
            # A view as the answer is no refusal by itself: "takes longer than usual" is one. No message tells the rest.
            if answer.status != 200 or b'"errors"' in answer.body:
                self.refused.append(f"{answer.status} {answer.body[:200]!r}")
                continue
            if posted is not None:
                try:
                    await asyncio.wait_for(posted, PATIENCE)
                except TimeoutError:
                    self.unposted += 1
                    continue
                self.wholes.append((time.perf_counter() - began) * 1000)
            self.done += 1
        connection.close()

    def _expect(self, number: int, person: int) -> asyncio.Future[None] | None:
        if not self.job.waits_for_message:
            return None
        key = user_of(person) if self.job.view is None else str(self.job.first + number)
        self.waiting[key] = asyncio.get_running_loop().create_future()
        return self.waiting[key]

    async def _watch(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.job.orders)
        writer.write(b"watch\n")
        while line := await reader.readline():
            posted = self.waiting.get(line.decode().strip())
            if posted is not None and not posted.done():
                posted.set_result(None)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(Load(Job(**json.loads(sys.argv[1]))).run())))
