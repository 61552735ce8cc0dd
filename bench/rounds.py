"""Runs a row's rounds: every side in turn, in another order each round, and looks whether what was asked was done."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.load import Job
from bench.measurement import Measurement, Row, Scenario, Side, measurement
from bench.processes import Program, load

NUMBERS = 100_000  # of requests that a measurement may make; they have eight digits, so 999 measurements have their own


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: how many people at once, how many rounds, and how long each is, in seconds."""

    people: tuple[int, ...]
    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Contender:
    """A side: the program to ask, and what to ask it. `view` None means the slash command `text`."""

    program: Program
    text: str | None = None
    view: dict[str, Any] | None = None
    waits_for_message: bool = False


@dataclass(slots=True)
class Arena:
    """The stand-ins' orders, and numbers that no request has had yet."""

    stand_ins: Program
    next_number: Iterator[int]

    def order(self, words: str) -> dict[str, int]:
        """Give the stand-ins an order and return their answer."""
        with socket.create_connection(("127.0.0.1", self.stand_ins.said["orders"])) as connection:
            connection.sendall(words.encode() + b"\n")
            with connection.makefile() as answers:
                answer: dict[str, int] = json.loads(answers.readline())
        return answer

    def measure(self, contender: Contender, people: int, seconds: float, fastest: int) -> Measurement:
        """One side, once. `fastest` bounds the requests a second."""
        limit = min(NUMBERS, max(people, int(fastest * seconds)))
        job = Job(
            port=contender.program.port,
            people=people,
            seconds=seconds,
            limit=limit,
            first=next(self.next_number) * NUMBERS,
            text=contender.text,
            view=contender.view,
            waits_for_message=contender.waits_for_message,
            orders=self.stand_ins.said["orders"],
        )
        before = contender.program.cpu()
        result = load(job.dump())
        contender.program.come_to_rest()
        after = contender.program.cpu()
        cpu = None if before is None or after is None else after - before
        return measurement(result, cpu, self._failure(job, result))

    def _failure(self, job: Job, result: dict[str, Any]) -> str:
        if result["refused"]:
            return f"refused: {result['refused'][0]}"
        if result["unposted"]:
            return f"{result['unposted']} of {result['sent']} were never answered by a message"
        if job.view is None:
            return ""
        sent, done = result["sent"], self.order(f"tally {job.first} {job.limit}")
        if (done["started"], done["twice"], done["posted"]) != (sent, 0, sent):
            started = f"{done['started']} were started ({done['twice']} of them more than once)"
            return f"of {sent} submissions {started}, {done['posted']} posted"
        return ""


def open_arena(stand_ins: Program) -> Arena:
    """The arena around these stand-ins."""
    return Arena(stand_ins, itertools.count(1))


def run(
    row: Row,
    contenders: dict[str, Contender],
    arena: Arena,
    effort: Effort,
    fastest: int,
    advance: Callable[[str], None],
) -> None:
    """Fill the row. `advance` is told what is being measured, once for each measurement."""
    for contender in contenders.values():
        arena.measure(contender, max(effort.people), min(0.5, effort.seconds), fastest)  # warm: caches and connections
    names = list(contenders)
    for turn in range(effort.rounds):
        for scenario in row.scenarios:
            arena.order(f"delay {scenario.delay}")
            shift = turn % len(names)
            for name in names[shift:] + names[:shift]:
                advance(f"{row.title}: {name}, {scenario.people} at a time")
                # Slow answers fill the time with fewer submissions, so these get twice as long.
                seconds = effort.seconds * (2 if scenario.delay else 1)
                # A person waits for two slow answers, start and message: more than this can't come.
                bound = min(fastest, int(scenario.people / scenario.delay)) if scenario.delay else fastest
                one = arena.measure(contenders[name], scenario.people, seconds, bound)
                scenario.sides.setdefault(name, Side(name)).rounds.append(one)
    arena.order("delay 0")


def scenarios(effort: Effort, delays: tuple[float, ...]) -> list[Scenario]:
    """Every number of people with every delay."""
    return [Scenario(people, delay, {}) for delay in delays for people in effort.people]
