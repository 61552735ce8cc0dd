"""`audit seal`: take an old part of the trail out of the database, into a file that proves it."""

from __future__ import annotations

import getpass
from datetime import datetime
from pathlib import Path

import click

from bot import connections
from bot.cli.output import load_settings, sentences, wait_for, words
from bot.domain.trail_filter import InvalidFilter, read_moment
from bot.evidence.sealed_file import NewSealedFile, open_sealed
from bot.settings import Settings
from bot.use_cases.ports import Seal
from bot.use_cases.seal_trail import check_file, copy_out, plan_seal
from bot.use_cases.seal_trail import seal as seal_range


@click.command()
@click.option("--before", required=True, help="A record's number, or a moment: 2026-01-31, or 2026-01-31T18:00+01:00.")
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="The file, which must be new.")
@sentences
def seal(before: str, output: Path) -> None:
    """Write everything before a record or a moment to a file, verify the file, and take it out of the database.

    A record of it stays in the trail, with the file's SHA-256. Keep the file: with it, audit verify --sealed FILE checks the
    trail from its beginning.
    """
    try:
        limit = int(before) if before.isdecimal() else read_moment(before)
    except InvalidFilter as error:
        raise click.UsageError(f"--before: {error}") from None
    sealed = wait_for(_seal(load_settings(), limit, output))
    words.print(
        f"Records {sealed.first} to {sealed.last} are in {output} and not in the database any more.", markup=False
    )
    words.print(f"SHA-256: {sealed.digest}")


async def _seal(settings: Settings, before: int | datetime, output: Path) -> Seal:
    keys = settings.audit_keys
    async with connections.open_store(settings) as store:
        wanted = await plan_seal(before, keys, bool(settings.audit_channel), store)
        with NewSealedFile(output) as file:
            await copy_out(wanted, file.write, store)
        sealed = check_file(wanted, open_sealed(output), keys)
        await seal_range(sealed, output.name, getpass.getuser(), store)
    return sealed
