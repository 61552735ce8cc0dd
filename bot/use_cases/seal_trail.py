"""Seal a range of the trail: write it to a file with its proof, make sure of the file, and only then take it out.

The record of it stays in the chain and names the range, its last hash and the file's digest, so that the chain can be
verified from there on, and with the file from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.audit import Act, Entry, Record
from bot.domain.audit_keys import Keys
from bot.domain.chain import Chain
from bot.domain.errors import Refused
from bot.domain.findings import START, Point
from bot.use_cases.ports import Reading, Seal, Store, Writing
from bot.use_cases.verify_trail import PAGE, SealedFile, verify


@dataclass(frozen=True, slots=True)
class Range:
    """Records `first` to `last`, behind the point `before`."""

    before: Point
    last: int

    @property
    def first(self) -> int:
        return self.before.seq + 1


async def plan_seal(before: int | datetime, keys: Keys, told: bool, store: Store) -> Range:
    """What would be sealed: everything before this record or moment that isn't yet. `told`: there is an audit channel, and
    it must have been told of it. Raises Refused, with what to do, and NotRecorded."""

    def question(tx: Reading) -> tuple[Range, bool]:
        seals = tx.seals()
        newest = Point(seals[-1].last, seals[-1].hash) if seals else START
        last = tx.last_before(before)
        if tx.may_not_seal():
            raise Refused("The bot's own role can't take records out of the trail. Seal as the owner of the tables.")
        return Range(newest, last), not told or tx.audit_posts_until() >= last

    wanted, known = await store.read(question)
    if wanted.last < wanted.first:
        raise Refused("There is nothing to seal: no record stands there that isn't sealed already.")
    if not known:
        raise Refused("The audit channel has not been told of all of it yet. Wait until it has, or mend what keeps it.")
    verified = await verify(store, keys)
    if not verified.whole:
        words = f"The trail is not whole ({verified.count} findings), so nothing was sealed."
        raise Refused(f"{words} Look at it with: workflow-bot audit verify")
    return wanted


async def copy_out(wanted: Range, write: Callable[[Iterable[Record]], None], store: Store) -> None:
    """Hand the range on, page by page. Raises NotRecorded."""
    after = wanted.before.seq
    while page := await store.read(lambda tx, after=after: tx.stored_records(after, wanted.last, PAGE)):  # type: ignore[misc]  # mypy can't type a lambda's default
        write(Record(row[0], bytes(row[6]), row[7]) for row in page)
        after = page[-1][0]


def check_file(wanted: Range, file: SealedFile, keys: Keys) -> Seal:
    """The seal for a file that holds exactly the range, whole. Raises Refused."""
    chain = Chain(keys, wanted.before)
    for page in file.pages:
        chain.read(page)
    chain.finish(chain.end)
    if chain.findings.count or chain.end.seq != wanted.last:
        raise Refused(f"{file.name} does not hold what was to be sealed, so nothing was taken out of the trail.")
    return Seal(wanted.first, wanted.last, chain.end.hash, file.digest)


async def seal(found: Seal, file: str, by: str, store: Store) -> None:
    """Take the range out, in one transaction that leaves the seal and its record. Raises Refused and NotRecorded: then
    nothing was taken out."""
    facts: dict[str, Any] = {
        "first": found.first,
        "last": found.last,
        "head": found.hash,
        "digest": found.digest,
        "records": found.last - found.first + 1,
        "file": file,
    }

    def work(tx: Writing) -> None:
        if not tx.take_out(found):
            raise Refused("The trail has changed since the file was written. Nothing was taken out; verify it.")
        tx.record(Entry(Act.TRAIL_SEALED, team_id="", user_id="", user_name=by, facts=facts))

    await store.write(work)
