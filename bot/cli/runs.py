"""`runs`: what was asked for and what became of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from bot import bootstrap
from bot.cli.output import format_option, load_settings, print_json, print_table, sentences, wait_for
from bot.domain.runs import Run, State
from bot.settings import Settings

HIDDEN = ("sealed", "request_key", "token", "due")  # how the bot works, not what happened


@click.group()
def runs() -> None:
    """Runs: what was asked for and what became of it."""


@runs.command("list")
@click.option("--user", help="Only this person's, by Slack user id.")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@format_option
@sentences
def list_runs(user: str | None, state: str | None, limit: int, form: str) -> None:
    """The latest runs, newest first."""
    found = wait_for(_list(load_settings(), user, State(state) if state else None, limit))
    if form == "json":
        for run in found:
            print_json(run_json(run))
        return
    print_table(
        ["Run", "Asked for", "By", "Workflow", "State", "Instance"],
        [
            [
                run.id,
                f"{run.created_at:%Y-%m-%d %H:%M:%S}",
                run.user_name or run.user_id,
                run.workflow,
                run.state.value,
                run.instance_id or "",
            ]
            for run in found
        ],
        empty="No runs yet.",
    )


def run_json(run: Run) -> dict[str, Any]:
    """A run for scripts. Secret inputs are named by their fingerprints."""
    row = {key: value for key, value in asdict(run).items() if key not in HIDDEN}
    for key in ("created_at", "launched_at", "ended_at"):
        row[key] = row[key].isoformat() if row[key] else None
    return {**row, "state": run.state.value}


async def _list(settings: Settings, user: str | None, state: State | None, limit: int) -> list[Run]:
    async with bootstrap.open_store(settings) as store:
        return await store.read(lambda tx: tx.runs(limit, user_id=user, state=state))
