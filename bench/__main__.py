"""`python -m bench`: measure, and print. Leaves with 1 where a side did not do what it was asked, never for being slow."""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import acknowledgement, audit_trail, being_seen, decision, whole_submission
from bench.audit_trail import Compared, compared_json, print_compared
from bench.certificate import make_certificate
from bench.databases import KINDS
from bench.decision import Growth, growth_json, print_growth
from bench.measurement import Row
from bench.processes import NotStarted, cores, pin, started
from bench.report import as_json, print_rows
from bench.rounds import Effort, open_arena

ROWS = ("ack", "submission", "decision", "audit", "seen")
AGAINST_RIVALS = {"ack", "submission", "seen"}
WIDTH = 160  # characters where nobody looks at the table on a screen


@click.command()
@click.option("--quick", is_flag=True, help="One short round, about a minute: to see that it works, not how fast.")
@click.option("--rounds", type=click.IntRange(1, 50), help="Rounds of each measurement.  [default: 3]")
@click.option("--seconds", type=click.FloatRange(0.1, 30), help="Length of one measurement.  [default: 0.8]")
@click.option("--people", type=click.IntRange(1, 64), multiple=True, help="At a time; several.  [default: 1, 16, 64]")
@click.option("--row", "rows", type=click.Choice(ROWS), multiple=True, help="Only this row; several.")
@click.option("--database", "kinds", type=click.Choice(KINDS), multiple=True, help="Only this one; several.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def main(
    quick: bool,
    rounds: int | None,
    seconds: float | None,
    people: tuple[int, ...],
    rows: tuple[str, ...],
    kinds: tuple[str, ...],
    form: str,
) -> None:
    """Measure the bot against its rivals on this machine, both sides in one run. Progress goes to standard error."""
    effort = Effort(
        people=people or ((1, 64) if quick else (1, 16, 64)),
        rounds=rounds or (1 if quick else 3),
        seconds=seconds or (0.3 if quick else 0.8),
    )
    try:
        chosen, kinds = rows or ROWS, kinds or KINDS
        measured = _measure(effort, chosen, kinds) if AGAINST_RIVALS & set(chosen) else []
        growth = _growth(kinds, quick) if "decision" in chosen else []
        trail = _trail(kinds, effort, quick) if "audit" in chosen else []
    except NotStarted as error:
        raise click.ClickException(str(error)) from None
    if form == "json":
        report = as_json(measured, _about(effort))
        report["rows"] += [growth_json(growth)] if growth else []
        report["rows"] += [compared_json(trail)] if trail else []
        click.echo(json.dumps(report, indent=1))
    else:
        console = Console()
        console = console if console.is_terminal else Console(width=WIDTH)
        print_rows(measured, console)
        if growth:
            print_growth(growth, console)
        if trail:
            print_compared(trail, console)
    if any(row.failures for row in measured):
        sys.exit(1)


def _measure(effort: Effort, rows: tuple[str, ...], kinds: tuple[str, ...]) -> list[Row]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    core, others = cores()
    pin(0, others)
    with (
        tempfile.TemporaryDirectory(prefix="workflow-bot-bench-") as name,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        folder = Path(name)
        certificate = folder / "certificate.pem"
        make_certificate(certificate)
        with started("bench.stand_ins", {"certificate": str(certificate)}, others) as stand_ins:
            origin = f"https://127.0.0.1:{stand_ins.port}"
            common: dict[str, Any] = {"slack": f"{origin}/api/", "datadog": origin, "certificate": str(certificate)}
            arena = open_arena(stand_ins)
            total = acknowledgement.count(effort) if "ack" in rows else 0
            total += whole_submission.count(effort, kinds) if "submission" in rows else 0
            total += being_seen.count(effort) if "seen" in rows else 0
            task = progress.add_task("Starting", total=total)

            def advance(what: str) -> None:
                progress.update(task, description=what, advance=1)

            measured = []
            if "ack" in rows:
                (folder / "ack").mkdir()
                measured.append(acknowledgement.measure(arena, common, core, folder / "ack", effort, advance))
            if "submission" in rows:
                measured.append(whole_submission.measure(arena, common, core, folder, effort, kinds, advance))
            if "seen" in rows:
                measured.append(being_seen.measure(arena, common, core, folder, effort, advance))
            return measured


def _growth(kinds: tuple[str, ...], quick: bool) -> list[Growth]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Starting", total=decision.count(kinds))
        return decision.measure(
            kinds, 10 if quick else 50, lambda what: progress.update(task, description=what, advance=1)
        )


def _trail(kinds: tuple[str, ...], effort: Effort, quick: bool) -> list[Compared]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Starting", total=audit_trail.count(kinds, effort.rounds))
        return audit_trail.measure(
            kinds,
            effort.rounds,
            effort.seconds if quick else max(3.0, effort.seconds),
            5_000 if quick else audit_trail.RECORDS,
            lambda what: progress.update(task, description=what, advance=1),
        )


def _about(effort: Effort) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "rounds": effort.rounds,
        "seconds": effort.seconds,
    }


if __name__ == "__main__":
    main()
