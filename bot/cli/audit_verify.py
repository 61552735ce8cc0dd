"""`audit verify`: whether the trail is whole, and where it isn't."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bot import connections
from bot.cli.output import (
    format_option,
    load_settings,
    print_json,
    print_table,
    sentences,
    wait_for,
    words,
    wrong_usage,
)
from bot.domain.errors import InvalidSettings, NotRecorded
from bot.domain.findings import Attestation, Break, Witnessed
from bot.evidence.sealed_file import open_sealed
from bot.evidence.signed_heads import Signer, public_keys, read_heads
from bot.settings import Settings
from bot.slack.audit_history import read_history
from bot.slack.egress import open_session
from bot.use_cases.verify_trail import SealedFile, Verified, note_verified
from bot.use_cases.verify_trail import verify as verify_trail

SHORTEST_HEAD = 8  # hexadecimal digits; fewer are guessed too easily


@click.command()
@click.option("--head", "heads", multiple=True, metavar="SEQ:HASH", help="What you know of a record; may be repeated.")
@click.option(
    "--witness", "files", multiple=True, type=click.Path(path_type=Path), help="A file of signed heads; several."
)
@click.option(
    "--public-key", "keys", multiple=True, help="The key, or a file with it, that heads are signed with; several."
)
@click.option("--sealed", multiple=True, type=click.Path(path_type=Path), help="A file of audit seal; several.")
@click.option("--slack", is_flag=True, help="Read back what the audit channel was told; needs a scope for the time.")
@format_option
@sentences
def verify(
    heads: tuple[str, ...],
    files: tuple[Path, ...],
    keys: tuple[str, ...],
    sealed: tuple[Path, ...],
    slack: bool,
    form: str,
) -> None:
    """Check every record: hash, columns, order; the guards around them; and what is known of them outside the database.

    Says where the trail breaks and what was touched there. Exits with 1 on any doubt.
    """
    settings = load_settings()
    filed = _filed(settings, files, keys)
    known = Witnessed([*(_head(text) for text in heads), *filed.attestations], filed.faults)
    began = time.monotonic()
    verified = wait_for(_verify(settings, known, [open_sealed(path) for path in sealed], slack))
    seconds = time.monotonic() - began
    if form == "json":
        for one in verified.breaks:
            print_json(
                {
                    "break": one.kind.value,
                    "from": one.seq,
                    "until": one.until,
                    "column": one.column or None,
                    "words": one.words,
                }
            )
        print_json(_summary(verified, seconds))
    else:
        _print(verified, seconds, len(settings.audit_keys))
    if not verified.whole:
        raise SystemExit(1)


def _filed(settings: Settings, files: Sequence[Path], keys: Sequence[str]) -> Witnessed:
    """What the files say that were given, and the one that this bot itself appends to."""
    if settings.audit_witness_path:
        files = [*files, Path(settings.audit_witness_path)]
    signing = settings.audit_signing_key.get_secret_value()
    if signing:
        keys = [*keys, Signer(signing).public_key]
    if files and not keys:
        raise click.UsageError("Whose signatures are they? Give --public-key, as workflow-bot audit keygen printed it.")
    with wrong_usage():
        known = public_keys(keys)
    read = [read_heads(path, known) for path in dict.fromkeys(files)]
    return Witnessed([one for file in read for one in file.attestations], [one for file in read for one in file.faults])


def _head(text: str) -> Attestation:
    seq, _, digits = text.partition(":")
    if not seq.isdecimal() or len(digits) < SHORTEST_HEAD or set(digits.lower()) - set("0123456789abcdef"):
        wanted = f"write a record's number and at least {SHORTEST_HEAD} digits of its hash, as in 42:9b1d03e2f0a7c511"
        raise click.BadParameter(wanted, param_hint="--head")
    return Attestation(int(seq), digits.lower(), "What you gave")


def _summary(verified: Verified, seconds: float) -> dict[str, object]:
    return {
        "whole": verified.whole,
        "records": verified.records,
        "first": verified.first,
        "head": {"seq": verified.head.seq, "hash": verified.head.hash},
        "breaks": verified.count,
        "witnesses": {"agree": verified.agreed, "until": verified.witnessed, "sealed": verified.unheard},
        "key_since": verified.key_since,
        "seconds": round(seconds, 3),
        "rate": round(verified.records / seconds) if seconds else None,
    }


def _print(verified: Verified, seconds: float, keys: int) -> None:
    rows = [[_place(one), one.kind.value, one.column, one.words] for one in verified.breaks]
    if rows:
        print_table(["Record", "What", "Column", ""], rows, empty="")
    if verified.count > len(rows):
        words.print(f"… and {verified.count - len(rows):,} more.")
    rate = f"{verified.records / seconds:,.0f} a second" if seconds else "at once"
    words.print(f"{verified.records:,} record(s) verified in {seconds:.1f} s ({rate}), from {verified.first} on.")
    if verified.agreed or verified.unheard:
        sealed = f", {verified.unheard:,} are about sealed records" if verified.unheard else ""
        words.print(f"{verified.agreed:,} word(s) of witnesses agree, up to record {verified.witnessed}{sealed}.")
    if keys > 1 and verified.key_since:
        words.print(f"The newest AUDIT_KEY has been in use since record {verified.key_since}.")
    elif keys > 1:
        words.print(
            "No record was made with the newest AUDIT_KEY. If some were, they were cut off: ask a witness.",
            style="yellow",
        )
    if verified.whole:
        words.print(f"The trail is whole. Its head is {verified.head.seq}:{verified.head.hash}", style="green")
        if not verified.agreed:
            words.print(
                "Nothing outside the database was asked, so a cut-off end or an old backup would not show.",
                style="yellow",
            )
    else:
        words.print(f"The trail is not whole: {verified.count:,} finding(s).", style="red")


def _place(one: Break) -> str:
    if not one.seq:
        return ""
    return str(one.seq) if one.until == one.seq else f"{one.seq} to {one.until}"


async def _verify(settings: Settings, known: Witnessed, sealed: Sequence[SealedFile], slack: bool) -> Verified:
    if slack:
        known = Witnessed([*known.attestations, *await _posted(settings)], known.faults)
    async with connections.open_store(settings) as store:
        with _progress() as advance:
            verified = await verify_trail(store, settings.audit_keys, known, sealed, advance)
        try:
            await note_verified(verified, getpass.getuser(), store)
        except NotRecorded as error:
            words.print(f"That it was verified could not be recorded: {error}", style="yellow", markup=False)
    return verified


async def _posted(settings: Settings) -> list[Attestation]:
    if not settings.audit_channel or not settings.slack_bot_token.get_secret_value():
        raise InvalidSettings("--slack reads the audit channel: set AUDIT_CHANNEL and SLACK_BOT_TOKEN.")
    async with open_session(settings.slack_api_url) as session:
        return await read_history(connections.build_client(settings, session), settings.audit_channel)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar with the rate, where somebody looks at it."""
    columns = (
        TextColumn("Verifying"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=words, transient=True, disable=not words.is_terminal) as progress:
        task = progress.add_task("", total=None, rate="")
        began = time.monotonic()

        def advance(done: int, total: int) -> None:
            rate = done / max(1e-6, time.monotonic() - began)
            progress.update(task, completed=done, total=total, rate=f"{rate:,.0f}/s")

        yield advance
