"""`python -m tests.chaos`: random chaos, with a table of what came of it. Exit code 1 where a number is not 0."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.chaos.company import Company
from tests.chaos.every_await import kill_at_every_await
from tests.chaos.storm import Plan, Storm, run_storm
from tests.chaos.trouble import Quota

console = Console(highlight=False)


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgres"]), default="sqlite", show_default=True)
@click.option("--runs", default=200, show_default=True, help="Runs that people ask for, at least.")
@click.option("--kills", default=30, show_default=True, help="kill -9 at random moments.")
@click.option("--stops", default=6, show_default=True, help="SIGSTOP beyond the lease, then SIGCONT.")
@click.option("--restarts", default=3, show_default=True, help="Crashes of Postgres.")
@click.option("--replicas", default=0, help="Processes; 0: one on SQLite, three on Postgres.")
@click.option("--seed", default=1, show_default=True)
@click.option("--minutes", default=15.0, show_default=True, help="The most it may take before it settles.")
@click.option("--rate", default=4.0, show_default=True, help="Deeds of people a second.")
@click.option("--every-await", is_flag=True, help="Not at random: a kill at every await of the run's life instead.")
@click.option("--share", default=1.0, show_default=True, help="Of these kills, so many are drawn.")
@click.option("--keep", type=click.Path(path_type=Path), help="A folder for the logs and the SQLite file.")
def main(keep: Path | None, every_await: bool, share: float, **wanted: Any) -> None:
    """Kill, stop and cut off the bot at random, and count."""
    # The judge meets a database that is away, and the stand-ins lose those who are killed: that is the point.
    logging.basicConfig(level="CRITICAL")
    plan = Plan(**wanted)
    if every_await:
        _every_await(plan, share)
        return
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bars = {
            "asked": progress.add_task("asked for", total=plan.runs),
            "kills": progress.add_task("kill -9", total=plan.kills),
            "stops": progress.add_task("SIGSTOP", total=plan.stops),
        }

        def show(company: Company, quota: Quota) -> None:
            progress.update(bars["asked"], completed=len(company.asks))
            for name in ("kills", "stops"):
                progress.update(bars[name], completed=quota.done[name])

        storm = asyncio.run(run_storm(plan, show, keep))
    console.print(table(storm))
    if not storm.verdict.clean:
        console.print(str(storm.verdict), markup=False)
        console.print(f"The logs of the bots are in {storm.logs}", markup=False)
        raise SystemExit(1)


def _every_await(plan: Plan, share: float) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("kills at awaits", total=None)

        def show(done: int, of: int) -> None:
            progress.update(bar, completed=done, total=of)

        report = asyncio.run(kill_at_every_await(plan.database, share, plan.seed, show))
    console.print(f"{plan.database}: {report}", markup=False)
    if not report.good:
        raise SystemExit(1)


def table(storm: Storm) -> Table:
    """What was asked, what was broken, what came of it."""
    verdict, plan = storm.verdict, storm.plan
    shown = Table(title=f"{plan.database}, {plan.processes} process(es), seed {plan.seed}, {storm.seconds:.0f} s")
    shown.add_column("what")
    shown.add_column("number", justify="right")
    for name, count in {**storm.quota.done, **verdict.counts}.items():
        shown.add_row(name, str(count))
    shown.add_section()
    for name in ("executed_twice", "lost", "stuck", "unanswered", "wrong"):
        count = len(getattr(verdict, name))
        shown.add_row(name.replace("_", " "), str(count), style="bold red" if count else "bold green")
    return shown


if __name__ == "__main__":
    main()
