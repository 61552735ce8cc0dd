"""`audit export`: the trail as a file, for a SIEM or an auditor."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import click

from bot import connections
from bot.cli.output import load_settings, sentences, wait_for, words
from bot.domain.audit import Record
from bot.domain.errors import Refused
from bot.evidence.lines import NotALine, csv_header, csv_line, json_line, line_end
from bot.settings import Settings
from bot.storage.store import SqlStore
from bot.use_cases.read_audit_trail import begin_export
from bot.use_cases.read_audit_trail import export as export_trail

LINES: dict[str, Callable[[Record], str]] = {"json": json_line, "csv": csv_line}


@click.command()
@click.option("--after", type=click.IntRange(0), default=0, help="Only records after this sequence number.")
@click.option("--format", "form", type=click.Choice(list(LINES)), default="json", help="JSON Lines, or CSV.")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Default: standard output.")
@click.option("--resume", is_flag=True, help="Go on with the --output file, behind its last record.")
@sentences
def export(after: int, form: str, output: Path | None, resume: bool) -> None:
    """The trail with its chain: each line has the record, its canonical bytes and its hash.

    That it was exported is recorded before the first record leaves.
    """
    if resume and (output is None or after):
        raise click.UsageError("--resume goes on with a file: give --output, and no --after.")
    settings = load_settings()
    try:
        last = _last_line(output) if resume and output is not None and output.exists() else ""
        count, first = wait_for(_export(settings, after, form, output, last if resume else None))
    except OSError as error:
        if output is None:  # whoever read along has stopped: click's to tell
            raise
        raise Refused(f"{output} can't be written: {error.strerror or type(error).__name__}.") from None
    if first > after + 1 and not resume:
        words.print(f"It begins at record {first}: those before it were sealed into files.", style="yellow")
    words.print(f"{count} record(s) exported.")


async def _export(settings: Settings, after: int, form: str, output: Path | None, last: str | None) -> tuple[int, int]:
    """`last` is the last line of the file to go on with, empty for a new one; None: not to be gone on with."""
    async with connections.open_store(settings) as store:
        if last:
            after = await _end_of(last, form, store)
        with _lines_to(output, resume=last is not None) as file:
            end = await begin_export(after, form, output.name if output else None, getpass.getuser(), store)
            if form == "csv" and not last:
                file.write(csv_header())
            count = 0
            async for record in export_trail(after, store):
                file.write(LINES[form](record))
                count += 1
    return count, end.first


@contextlib.contextmanager
def _lines_to(output: Path | None, *, resume: bool) -> Iterator[IO[str]]:
    """What the lines are written to. A file from before stays as it was until the new one is complete, save where it is gone
    on with. Raises OSError where it can't be written."""
    if output is None:
        with click.open_file("-", "w", encoding="utf-8") as file:
            yield file
    elif resume or (output.exists() and not output.is_file()):  # a pipe, or a device
        with output.open("a", encoding="utf-8") as file:
            yield file
    else:
        whole = output.resolve()
        part = whole.with_name(f".{whole.name}.{secrets.token_hex(4)}.part")
        try:
            with part.open("x", encoding="utf-8") as file:
                if whole.exists():  # whoever may not read the one from before may not read this one either
                    part.chmod(stat.S_IMODE(whole.stat().st_mode))
                yield file
            part.replace(whole)
        finally:
            part.unlink(missing_ok=True)


async def _end_of(line: str, form: str, store: SqlStore) -> int:
    """The number of the record in the file's last line, once it is sure that it is the trail's. Raises Refused."""
    if form == "csv" and line == csv_header():
        return 0
    try:
        seq, hash_ = line_end(line, form)
    except NotALine:
        raise Refused(f"The last line of the file is no record of an export as {form}. Nothing was written.") from None
    found = await store.read(lambda tx: tx.records(seq - 1, 1))
    sealed = {seal.last: seal.hash for seal in await store.read(lambda tx: tx.seals())}
    if sealed and seq < max(sealed):
        raise Refused(
            f"The file ends with record {seq}, and those up to {max(sealed)} were sealed since: take them from there."
        )
    if (found and found[0].seq == seq and found[0].hash == hash_) or sealed.get(seq) == hash_:
        return seq
    raise Refused(
        f"The file ends with record {seq}, and the trail has another one there. Verify both. Nothing was written."
    )


def _last_line(path: Path) -> str:
    """The last line of the file that is whole; what stands behind it is cut off. Empty where there is none."""
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        tail, begin = b"", end
        while begin and tail.count(b"\n") < 2:  # the end of the last line, and that of the one before
            begin = max(0, begin - 65536)
            file.seek(begin)
            tail = file.read(end - begin)
        whole, newline, rest = tail.rpartition(b"\n")
        if rest:
            file.truncate(end - len(rest))
            words.print("The last line was cut off: it is written anew.", style="yellow")
        return whole.rpartition(b"\n")[2].decode("utf-8", "replace") + newline.decode()
