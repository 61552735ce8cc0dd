"""One measurement, and what many of them say: medians over rounds, and ratios between sides of the same round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Measurement:
    """One side in one round. Times in milliseconds, `cpu` in microseconds a request; None is not known or not meant.

    `failure` says what was wrong with the answers: then the figures mean nothing.
    """

    rate: float
    ack_p50: float
    ack_p99: float
    whole_p50: float | None
    whole_p99: float | None
    cpu: float | None
    failure: str = ""


@dataclass(slots=True)
class Side:
    """What is measured in one scenario: all its rounds."""

    name: str
    rounds: list[Measurement] = field(default_factory=list)

    @property
    def failure(self) -> str:
        return next((one.failure for one in self.rounds if one.failure), "")

    def median(self, figure: str) -> float | None:
        values = [value for one in self.rounds if (value := getattr(one, figure)) is not None]
        return statistics.median(values) if values else None


@dataclass(slots=True)
class Scenario:
    """So many people at once, with answers that take `delay` seconds."""

    people: int
    delay: float
    sides: dict[str, Side]


@dataclass(slots=True)
class Row:
    """One comparison: scenarios, and which side is compared with which. `note` says what is not in it, and why."""

    title: str
    unit: str
    scenarios: list[Scenario]
    comparisons: list[tuple[str, str]]
    note: str = ""

    @property
    def failures(self) -> list[str]:
        return [
            f"{self.title}, {scenario.people} at a time, {side.name}: {side.failure}"
            for scenario in self.scenarios
            for side in scenario.sides.values()
            if side.failure
        ]


@dataclass(frozen=True, slots=True)
class Ratio:
    """The first side's figure divided by the second's: the median over rounds, and the extremes."""

    median: float
    lowest: float
    highest: float


FIGURES = ("rate", "ack_p50", "ack_p99", "whole_p50", "whole_p99", "cpu")


def ratio(one: Side, other: Side, figure: str) -> Ratio | None:
    """Each round's ratio of its own: what makes the machine slow for a while makes both sides of a round slow."""
    pairs = ((getattr(a, figure), getattr(b, figure)) for a, b in zip(one.rounds, other.rounds, strict=True))
    values = [a / b for a, b in pairs if a is not None and b]
    return Ratio(statistics.median(values), min(values), max(values)) if values else None


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all are not above; the largest where there are too few to tell."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measurement(result: dict[str, Any], cpu: float | None, failure: str) -> Measurement:
    """What the load reports, condensed. `cpu` in seconds for all of it."""
    acks, wholes, sent = result["acks"], result["wholes"], result["sent"]
    if not acks:
        return Measurement(0, 0, 0, None, None, None, "nothing was sent")
    return Measurement(
        rate=result["rate"],
        ack_p50=percentile(acks, 0.5),
        ack_p99=percentile(acks, 0.99),
        whole_p50=percentile(wholes, 0.5) if wholes else None,
        whole_p99=percentile(wholes, 0.99) if wholes else None,
        cpu=None if cpu is None else cpu / sent * 1e6,
        failure=failure,
    )
