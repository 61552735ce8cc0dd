"""`audit`: the trail."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import click

from bot import bootstrap
from bot.cli.audit_verify import verify
from bot.cli.output import format_option, load_settings, print_json, print_table, sentences, wait_for, words
from bot.domain.audit import Record
from bot.domain.errors import Refused
from bot.evidence.signed_heads import make_key_pair
from bot.settings import Settings
from bot.storage.store import SqlStore

PAGE = 1000  # records read at a time, so that an export needs no more memory than that


@click.group()
def audit() -> None:
    """The audit trail: who asked for what, who or what let them, and how it ended."""


audit.add_command(verify)


@audit.command()
@click.option("--lines", "-n", type=click.IntRange(1, 10_000), default=20, show_default=True)
@format_option
@sentences
def tail(lines: int, form: str) -> None:
    """The latest records, oldest first."""
    records = wait_for(_tail(load_settings(), lines))
    if form == "json":
        for record in records:
            print_json(record_json(record))
        return
    rows = []
    for record in records:
        body = json.loads(record.body)
        detail = body.get("instance") or body.get("error") or body.get("reason") or ""
        who = body["actor"]["name"] or body["actor"]["user"]
        rows.append(
            [str(record.seq), body["at"][:19], who, body["act"], body["workflow"] or "", body["run"] or "", detail]
        )
    print_table(["#", "At (UTC)", "Who", "Act", "Workflow", "Run", ""], rows, empty="The trail is empty.")


@audit.command()
@click.option("--after", type=click.IntRange(0), default=0, help="Only records after this sequence number.")
@click.option("--format", "form", type=click.Choice(["json"]), default="json", help="JSON Lines.")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Default: standard output.")
@sentences
def export(after: int, form: str, output: Path | None) -> None:  # one format so far
    """The trail as JSON Lines, with the chain: each line has the record, its canonical bytes and its hash."""
    count = wait_for(_export(load_settings(), after, output))
    words.print(f"{count} record(s) exported.")


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


def record_json(record: Record) -> dict[str, object]:
    """A record for scripts: its fields, and what the chain covers."""
    return {**json.loads(record.body), "hash": record.hash, "canonical": record.body.decode()}


async def _tail(settings: Settings, lines: int) -> list[Record]:
    async with bootstrap.open_store(settings) as store:
        return await store.read(lambda tx: tx.last_records(lines))


async def _export(settings: Settings, after: int, output: Path | None) -> int:
    count = 0
    # Atomic: a file from before stays as it was until the new one is complete.
    with click.open_file(str(output) if output else "-", "w", encoding="utf-8", atomic=output is not None) as file:
        async with bootstrap.open_store(settings) as store:
            async for record in _all(store, after):
                file.write(json.dumps(record_json(record), ensure_ascii=False) + "\n")
                count += 1
    return count


async def _all(store: SqlStore, after: int) -> AsyncIterator[Record]:
    while page := await store.read(lambda tx, seq=after: tx.records(seq, PAGE)):  # type: ignore[misc]  # mypy can't type a lambda's default
        for record in page:
            yield record
        after = page[-1].seq
