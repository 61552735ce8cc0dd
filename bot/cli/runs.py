"""`runs`: what was asked for and what became of it."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from typing import Any

import click

from bot import connections
from bot.cli.output import format_option, load_settings, print_json, print_table, sentences, wait_for, words
from bot.domain.audit import Record
from bot.domain.errors import Refused
from bot.domain.runs import Run, State
from bot.settings import Settings
from bot.use_cases.cancel_run import CancelAnswer, cancel_as
from bot.use_cases.ports import Message, Reading, Writing
from bot.use_cases.resolve_run import resolve as resolve_run

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
    for step in row["steps"]:
        step["began"], step["ended"] = step["began"].isoformat(), step["ended"] and step["ended"].isoformat()
    return {**row, "state": run.state.value}


@runs.command()
@click.argument("run_id")
@format_option
@sentences
def show(run_id: str, form: str) -> None:
    """One run: its inputs, steps and outputs, its audit records, and what became of its messages."""
    run, messages, records = wait_for(_show(load_settings(), run_id.upper()))
    told = [asdict(message) for message in messages]
    if form == "json":
        print_json({**run_json(run), "messages": told, "audit": [json.loads(record.body) for record in records]})
        return
    facts = {key: value for key, value in run_json(run).items() if value not in (None, "", [], {})}
    print_table(["Run", run.id], [[key, _shown(value)] for key, value in facts.items()], empty="")
    for message in told:
        state = "waiting" if message["due"] else "told" if message["ts"] else "given up"
        click.echo(
            f"message {message['kind']}: {state} {message['posted_in'] or message['channel_id']} {message['error'] or ''}"
        )
    for record in records:
        body = json.loads(record.body)
        click.echo(f"#{record.seq} {body['at']} {body['act']} by {body['actor']['name'] or body['actor']['user']}")


@runs.command()
@click.argument("run_id")
@sentences
def cancel(run_id: str) -> None:
    """Cancel a run, as the operator. A bot that serves passes it on to Datadog and follows it to its end."""
    answer = wait_for(_cancel(load_settings(), run_id.upper()))
    sentences_ = {
        CancelAnswer.ASKED: "Asked. The run's message shows when Datadog has stopped it.",
        CancelAnswer.ASKED_BEFORE: "It is being cancelled already.",
        CancelAnswer.NOT_STARTED_ANY_MORE: "It was still waiting, and will not be started.",
        CancelAnswer.WITHDRAWN: "It waited for approval, which is not asked for any more. It will not be started.",
    }
    if answer not in sentences_:
        raise Refused(f"Run {run_id} can't be cancelled: {answer.value}.")
    words.print(sentences_[answer])


@runs.command()
@click.argument("run_id")
@click.option("--instance", "instance_id", help="It runs in Datadog, as this instance; the bot follows it from now on.")
@click.option("--not-started", is_flag=True, help="It was never started: Datadog has no instance of it.")
@sentences
def resolve(run_id: str, instance_id: str | None, not_started: bool) -> None:
    """Settle an unknown run by hand, after a look into Datadog."""
    if bool(instance_id) == not_started:
        raise click.UsageError("Give either --instance ID or --not-started.")
    run = wait_for(_resolve(load_settings(), run_id.upper(), instance_id))
    words.print(f"Run {run.id} is {run.state.value}.")


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


async def _show(settings: Settings, run_id: str) -> tuple[Run, list[Message], list[Record]]:
    def question(tx: Reading) -> tuple[Run | None, list[Message], list[Record]]:
        return tx.run(run_id), tx.messages(run_id), tx.records_of(run_id)

    async with connections.open_store(settings) as store:
        run, messages, records = await store.read(question)
    if run is None:
        raise Refused(f"There is no run {run_id}. `runs list` shows the latest.")
    return run, messages, records


async def _cancel(settings: Settings, run_id: str) -> CancelAnswer:
    def work(tx: Writing) -> CancelAnswer:
        run = tx.run(run_id)
        return CancelAnswer.NO_SUCH_RUN if run is None else (cancel_as(tx, run, "", getpass.getuser())).answer

    async with connections.open_store(settings) as store:
        return await store.write(work, starts=True)


async def _resolve(settings: Settings, run_id: str, instance_id: str | None) -> Run:
    async with connections.open_store(settings) as store:
        return await resolve_run(run_id, instance_id, getpass.getuser(), store)


async def _list(settings: Settings, user: str | None, state: State | None, limit: int) -> list[Run]:
    async with connections.open_store(settings) as store:
        return await store.read(lambda tx: tx.runs(limit, user_id=user, state=state))
