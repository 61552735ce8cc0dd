"""Rows as tables for people, or as JSON for machines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.measurement import FIGURES, Ratio, Row, Scenario, Side, ratio

HEADINGS = {
    "rate": "/s",
    "ack_p50": "ack p50 ms",
    "ack_p99": "ack p99 ms",
    "whole_p50": "whole p50 ms",
    "whole_p99": "whole p99 ms",
    "cpu": "CPU µs",
}


def print_rows(rows: Iterable[Row], console: Console) -> None:
    """For each row its figures, then its ratios."""
    for row in rows:
        console.print(_figures(row))
        if row.comparisons:
            console.print(_ratios(row))
        if row.note:
            console.print(row.note, style="yellow")
        for failure in row.failures:
            console.print(f"FAILED {failure}", style="bold red", highlight=False)


def as_json(rows: Iterable[Row], about: dict[str, Any]) -> dict[str, Any]:
    """Everything, each round too."""
    return {"about": about, "rows": [_row(row) for row in rows]}


def _figures(row: Row) -> Table:
    table = Table(title=f"{row.title}: medians of the rounds ({row.unit})")
    for heading in ("at a time", "answers", "side"):
        table.add_column(heading)
    for figure in FIGURES:
        table.add_column(HEADINGS[figure], justify="right")
    for scenario in row.scenarios:
        for side in scenario.sides.values():
            cells = ["FAILED"] if side.failure else [_number(side.median(figure)) for figure in FIGURES]
            table.add_row(str(scenario.people), _answers(scenario), side.name, *cells)
        table.add_section()
    return table


def _ratios(row: Row) -> Table:
    table = Table(title="The bot divided by its rival, round by round: median (lowest to highest)")
    for heading in ("at a time", "answers", "bot", "rival"):
        table.add_column(heading)
    for figure in FIGURES:
        table.add_column(HEADINGS[figure], justify="right")
    for scenario in row.scenarios:
        for one, other in row.comparisons:
            cells = [_ratio(value) for value in _ratios_of(scenario, one, other).values()]
            table.add_row(str(scenario.people), _answers(scenario), one, other, *cells)
        table.add_section()
    return table


def _ratios_of(scenario: Scenario, one: str, other: str) -> dict[str, Ratio | None]:
    sides = scenario.sides[one], scenario.sides[other]
    if any(side.failure for side in sides):
        return dict.fromkeys(FIGURES)
    return {figure: ratio(*sides, figure) for figure in FIGURES}


def _row(row: Row) -> dict[str, Any]:
    return {
        "title": row.title,
        "note": row.note,
        "failures": row.failures,
        "scenarios": [
            {
                "people": scenario.people,
                "delay": scenario.delay,
                "sides": [_side(side) for side in scenario.sides.values()],
                "ratios": [_comparison(scenario, one, other) for one, other in row.comparisons],
            }
            for scenario in row.scenarios
        ],
    }


def _side(side: Side) -> dict[str, Any]:
    medians = {figure: side.median(figure) for figure in FIGURES}
    return {"name": side.name, "medians": medians, "rounds": [dataclasses.asdict(one) for one in side.rounds]}


def _comparison(scenario: Scenario, one: str, other: str) -> dict[str, Any]:
    values = _ratios_of(scenario, one, other)
    return {"bot": one, "rival": other} | {
        figure: None if value is None else dataclasses.asdict(value) for figure, value in values.items()
    }


def _answers(scenario: Scenario) -> str:
    return f"in {scenario.delay * 1000:.0f} ms" if scenario.delay else "at once"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _ratio(value: Ratio | None) -> str:
    if value is None:
        return "–"
    if value.lowest == value.highest:
        return f"{value.median:.2f}"
    return f"{value.median:.2f} ({value.lowest:.2f} to {value.highest:.2f})"
