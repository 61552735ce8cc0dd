"""`python -m bench.open_runs`: thousands of open runs on one replica, and people who go on running workflows meanwhile.

Prints how late the bot's event loop is and how long people wait for their command to be acknowledged. Leaves with 1 where
a command started nothing, never for being slow.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bench.certificate import make_certificate
from bench.databases import KINDS, database
from bench.http_connection import connect
from bench.measurement import percentile
from bench.processes import Program, cores, pin, started
from bench.requests_from_slack import command
from bench.rounds import Arena, open_arena
from bench.servers.whole_bot import WORKFLOWS

PEOPLE = 10  # each types a command a second
SETTLING = 2.0  # seconds before the measurement begins


@dataclass(frozen=True, slots=True)
class Found:
    """One measurement; times in milliseconds. `looks` is how often a second a run was looked at in Datadog."""

    database: str
    lag_p50: float
    lag_p99: float
    lag_most: float
    ack_p50: float
    ack_p99: float
    commands: int
    looks: float
    not_started: int


@click.command()
@click.option("--runs", type=click.IntRange(1, 100_000), default=5000, show_default=True, help="Open runs.")
@click.option("--seconds", type=click.FloatRange(1, 600), default=20.0, show_default=True)
@click.option("--database", "kinds", type=click.Choice(KINDS), multiple=True, help="Only this one; several.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def main(runs: int, seconds: float, kinds: tuple[str, ...], form: str) -> None:
    """Measure the event loop's lag and the acknowledgements of new commands beside many open runs."""
    core, others = cores()
    pin(0, others)
    measured = []
    with tempfile.TemporaryDirectory(prefix="workflow-bot-bench-") as name:
        certificate = Path(name) / "certificate.pem"
        make_certificate(certificate)
        with started("bench.stand_ins", {"certificate": str(certificate)}, others) as stand_ins:
            origin = f"https://127.0.0.1:{stand_ins.port}"
            common = {"slack": f"{origin}/api/", "datadog": origin, "certificate": str(certificate), "runs": runs}
            arena = open_arena(stand_ins)
            for turn, kind in enumerate(kinds or KINDS):
                with database(kind, Path(name)) as url:
                    arguments = {**common, "database": url}
                    with started("bench.servers.crowded_bot", arguments, core) as bot:
                        measured.append(_measure(kind, bot, arena, turn * 1_000_000, seconds))
    if form == "json":
        click.echo(json.dumps([{slot: getattr(one, slot) for slot in Found.__slots__} for one in measured]))
    else:
        _print(measured, runs)
    if any(one.not_started for one in measured):
        sys.exit(1)


def _measure(kind: str, bot: Program, arena: Arena, first: int, seconds: float) -> Found:
    time.sleep(SETTLING)
    bot.process.send_signal(signal.SIGUSR1)
    acks = asyncio.run(_people(bot.port, first, seconds))
    bot.process.send_signal(signal.SIGUSR2)
    assert bot.process.stdout is not None
    said: dict[str, Any] = json.loads(bot.process.stdout.readline())
    lags = said["lags"]
    time.sleep(SETTLING)
    began = arena.order(f"tally {first} {len(acks)}")["started"]
    return Found(
        database=kind,
        lag_p50=percentile(lags, 0.5),
        lag_p99=percentile(lags, 0.99),
        lag_most=max(lags),
        ack_p50=percentile(acks, 0.5),
        ack_p99=percentile(acks, 0.99),
        commands=len(acks),
        looks=said["looks"] / seconds,
        not_started=len(acks) - began,
    )


async def _people(port: int, first: int, seconds: float) -> list[float]:
    """Everybody's acknowledgement times in milliseconds."""
    acks: list[float] = []

    async def one(person: int) -> None:
        await asyncio.sleep(person / PEOPLE)
        for number in range(int(seconds)):
            ticket = first + number * PEOPLE + person
            text = f"run workflow-{ticket % WORKFLOWS} service=web env=staging ticket={ticket:08d}"
            request = command(ticket, person, text)
            connection = await connect(port)
            began = time.perf_counter()
            await connection.send(request)
            took = time.perf_counter() - began
            connection.close()
            acks.append(took * 1000)
            await asyncio.sleep(max(0.0, 1 - took))

    await asyncio.gather(*(one(person) for person in range(PEOPLE)))
    return acks


def _print(measured: list[Found], runs: int) -> None:
    table = Table(title=f"{runs:,} open runs on one replica, {PEOPLE} new ones a second")
    for heading in ("database", "lag p50 ms", "lag p99 ms", "lag most ms", "ack p50 ms", "ack p99 ms", "looks/s"):
        table.add_column(heading, justify="left" if heading == "database" else "right")
    for one in measured:
        figures = (one.lag_p50, one.lag_p99, one.lag_most, one.ack_p50, one.ack_p99, one.looks)
        table.add_row(one.database, *(f"{figure:.1f}" for figure in figures))
    console = Console()
    console.print(table)


if __name__ == "__main__":
    main()
