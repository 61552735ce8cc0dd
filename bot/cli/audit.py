"""`audit`: the trail."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from bot import connections
from bot.cli.audit_export import export
from bot.cli.audit_seal import seal
from bot.cli.audit_verify import verify
from bot.cli.output import format_option, load_settings, print_json, print_table, sentences, wait_for, words
from bot.domain.audit import Record
from bot.domain.errors import Refused
from bot.domain.inputs import as_text
from bot.domain.trail_filter import OUTCOMES, InvalidFilter, TrailFilter, read_filter
from bot.evidence.lines import record_json
from bot.evidence.signed_heads import make_key_pair
from bot.settings import Settings
from bot.use_cases.read_audit_trail import body_of_record, search


@click.group()
def audit() -> None:
    """The audit trail: who asked for what, who or what let them, and how it ended."""


audit.add_command(verify)
audit.add_command(export)
audit.add_command(seal)


@audit.command()
@click.option("--lines", "-n", type=click.IntRange(1, 10_000), default=20, show_default=True)
@format_option
@sentences
def tail(lines: int, form: str) -> None:
    """The latest records, oldest first."""
    _print(wait_for(_tail(load_settings(), lines)), form, empty="The trail is empty.")


@audit.command("search")
@click.option("--user", help="By this person, by Slack user id.")
@click.option("--workflow", help="On this workflow, by name.")
@click.option("--run", help="On this run.")
@click.option("--act", help="Only this act, as in “launch refused”.")
@click.option("--since", help="From this moment on: 2026-01-31, or 2026-01-31T18:00+01:00.")
@click.option("--until", help="Before this moment.")
@click.option("--outcome", type=click.Choice(list(OUTCOMES)), help="Only what tells of this outcome.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@format_option
@sentences
def search_trail(limit: int, form: str, **wanted: str | None) -> None:
    """The latest records that fit, oldest first."""
    try:
        filters = read_filter(wanted)
    except InvalidFilter as error:
        raise click.UsageError(str(error)) from None
    _print(wait_for(_search(load_settings(), filters, limit)), form, empty="Nothing in the trail fits.")


# What tells one record of its act from another; all of it is in the JSON.
_DETAILS = (
    *("state", "reason", "reason_given", "comment", "error", "effect", "subject", "target", "in", "when", "until"),
    *("owner", "asks_for", "to", "wanted", "changed", "settings", "how", "file", "instance"),
)


def _print(records: Sequence[Record], form: str, empty: str) -> None:
    if form == "json":
        for record in records:
            print_json(record_json(record))
        return
    rows = []
    for record in records:
        body = body_of_record(record)
        detail = " · ".join(as_text(body[name]) for name in _DETAILS if body.get(name))
        actor = body.get("actor") or {}
        who = actor.get("name") or actor.get("user") or ""
        shown = (body.get("act"), body.get("workflow"), body.get("run"))
        rows.append([str(record.seq), str(body.get("at"))[:19], who, *(str(one or "") for one in shown), detail])
    print_table(["#", "At (UTC)", "Who", "Act", "Workflow", "Run", ""], rows, empty=empty)


@audit.command()
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="The file for the private key.")
@sentences
def keygen(output: Path) -> None:
    """Make the key pair with which heads of the trail are signed: writes the private key, prints the public one.

    Give the bot the file as AUDIT_SIGNING_KEY_FILE, and the public key to whoever verifies.
    """
    private, public = make_key_pair()
    try:
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(private + "\n")
    except FileExistsError:
        raise Refused(f"{output} is there already, and may be a key in use. Name another file.") from None
    except OSError as error:
        raise Refused(f"{output} can't be written: {error.strerror}.") from None
    click.echo(public)
    words.print(f"The private key is in {output}; only its owner can read it.", markup=False)


async def _tail(settings: Settings, lines: int) -> list[Record]:
    async with connections.open_store(settings) as store:
        return await store.read(lambda tx: tx.last_records(lines))


async def _search(settings: Settings, wanted: TrailFilter, limit: int) -> list[Record]:
    async with connections.open_store(settings) as store:
        return await search(wanted, limit, store)
