"""`python -m tests.fuzz`: the whole size, with a table of what came back. Exit code 1 where the bot stumbled."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.databases import DatabaseServer, SqliteFolder, embedded_postgres_server
from tests.fuzz.session import Session, run_session

FLAT = 60_000  # kB by which memory may grow after the first third: 1 in 500 of what was fired, had it been kept

console = Console(highlight=False)


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgres"]), default="sqlite", show_default=True)
@click.option("--requests", default=20_000, show_default=True, help="Malformed requests, to every route.")
@click.option("--payloads", default=10_000, show_default=True, help="Payloads with something wrong in them, signed.")
@click.option("--seed", default=1, show_default=True)
def main(database: str, requests: int, payloads: int, seed: int) -> None:
    """Fire at the bot, and count."""
    logging.basicConfig(level="CRITICAL")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = SqliteFolder(folder)
        url = files.migrated()
        if database == "postgres":
            url = DatabaseServer(stack.enter_context(embedded_postgres_server())).migrated()
        progress = stack.enter_context(Progress(*columns, console=console))
        bars: dict[str, TaskID] = {}

        def show(name: str, done: int, of: int) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=of)
            progress.update(bars[name], completed=done)

        session = Session(url, files.migrated(), folder, requests, payloads, seed, show)
        asyncio.run(run_session(session))
    console.print(table(session, database))
    if any(fallen.after - fallen.warm > FLAT for fallen in session.fallen.values()):
        raise SystemExit("its memory has grown")


def table(session: Session, database: str) -> Table:
    """What was fired, and what came back."""
    shown = Table(
        title=f"{database}, seed {session.seed}, {len(session.routes)} routes, {session.kinds} kinds of payload"
    )
    for column in ("what", "fired", "answers", "memory once warm, at the end (MB)"):
        shown.add_column(column)
    for name, fallen in session.fallen.items():
        answers = ", ".join(f"{status}: {count:,}" for status, count in sorted(fallen.answers.items()))
        shown.add_row(name, f"{fallen.fired:,}", answers, f"{fallen.warm / 1000:.0f}, {fallen.after / 1000:.0f}")
    return shown


if __name__ == "__main__":
    main()
