"""A kill at every await, one by one, or at a sample of them; and whether every await has a case at all."""

from __future__ import annotations

import itertools
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.fleet import Nursery
from tests.chaos.kill_points import every_point
from tests.chaos.placed import Outcome, explore, play, several
from tests.chaos.postgres import crashable_postgres
from tests.chaos.scenarios import BY_NAME, EXCEPTIONS, SCENARIOS

TRIES = 5  # for one kill


@dataclass
class Report:
    """`without_case` are the points that nothing reaches, `missed` those that were reached once and not again."""

    points: int
    without_case: list[str]
    needless: list[str]
    unharmed: list[Outcome]
    killed: list[Outcome]
    missed: list[Outcome]
    seconds: float

    @property
    def bad(self) -> list[Outcome]:
        return [outcome for outcome in [*self.unharmed, *self.killed, *self.missed] if not outcome.verdict.clean]

    @property
    def good(self) -> bool:
        return not (self.bad or self.without_case or self.needless or self.missed)

    def __str__(self) -> str:
        lines = [
            f"{self.points} kill points, {len(self.killed)} kills, {len(self.bad)} bad ends, {self.seconds:.0f} s",
            *(f"no scenario reaches {point}" for point in self.without_case),
            *(f"listed as unreachable, and reached: {point}" for point in self.needless),
            *(f"not reached again: {outcome.point} in “{outcome.scenario}”" for outcome in self.missed),
            *(
                f"“{outcome.scenario}”, kill at {outcome.point or 'no point'}:\n{outcome.verdict}"
                for outcome in self.bad
            ),
        ]
        return "\n".join(lines)


async def kill_at_every_await(
    database: str, share: float = 1.0, seed: int = 1, progress: Callable[[int, int], None] = lambda done, of: None
) -> Report:
    """Play every scenario once unharmed, then once for each point in the `share` of them that is drawn."""
    folder, began, numbers = Path(tempfile.mkdtemp(prefix="workflow-bot-chaos-")), time.monotonic(), itertools.count()
    with ExitStack() as stack:
        postgres = stack.enter_context(crashable_postgres()) if database == "postgres" else None

        def new_url() -> str:
            number = next(numbers)
            return postgres.new_database(f"case{number}") if postgres else f"sqlite:///{folder}/{number}.db"

        async with Nursery(points=True) as nursery:
            points = every_point()
            excepted = {point for point in points if point.rpartition(":")[0] in EXCEPTIONS}
            reached, unharmed = await explore(SCENARIOS, nursery, new_url, folder)
            for _ in range(2):  # on a busy machine what should come in time may come late: a scenario gets another try
                if set(points) <= set(reached) | excepted:
                    break
                reached, again = await explore(SCENARIOS, nursery, new_url, folder)
                unharmed += again
            drawn = [point for point in points if point in reached]
            if share < 1:
                drawn = random.Random(seed).sample(drawn, round(len(drawn) * share))
            done = itertools.count(1)

            async def kill(point: str) -> Outcome:
                outcome = Outcome("", point, killed=False, verdict=unharmed[0].verdict)
                # A scenario may have passed the point by chance: then it is another one's turn.
                for name in (reached[point] * TRIES)[:TRIES]:
                    outcome = await play(BY_NAME[name], nursery, new_url(), folder, kill_at=point)
                    if outcome.killed or not outcome.verdict.clean:
                        break
                progress(next(done), len(drawn))
                return outcome

            outcomes = await several([lambda point=point: kill(point) for point in drawn])  # type: ignore[misc]  # mypy can't type a lambda's default
    return Report(
        points=len(points),
        without_case=[point for point in points if point not in reached and point not in excepted],
        needless=sorted(excepted & set(reached)),
        unharmed=unharmed,
        killed=[outcome for outcome in outcomes if outcome.killed],
        missed=[outcome for outcome in outcomes if not outcome.killed],
        seconds=time.monotonic() - began,
    )
