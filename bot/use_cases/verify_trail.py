"""Verify the audit trail: the chain, the guards around it, the seals, and what is known of it outside the database.

Read page by page, so that memory doesn't grow with the trail; what is appended meanwhile is left for the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.audit import Act, Entry
from bot.domain.audit_keys import Keys
from bot.domain.chain import Chain, Stored
from bot.domain.errors import Refused
from bot.domain.findings import START, Break, Findings, Kind, Point, Witnessed
from bot.use_cases.ports import Reading, Seal, Store, TrailEnd, Writing

PAGE = 2000  # records read at a time
NOBODY = Witnessed()


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A range that was taken out of the database. `pages` can be read once."""

    name: str
    digest: str
    first: Point  # the first record's place, and the hash that it names as the one before it
    pages: Iterator[Sequence[Stored]]


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of it. `agreed`: words of witnesses that agree, the furthest about the record `witnessed`; `unheard`: words
    about records that are sealed away, and whose file was not given. `key_since`: the first record that was made with the newest
    key, None where none was."""

    breaks: Sequence[Break]
    count: int  # of breaks, also beyond those that are kept
    records: int
    first: int
    head: Point
    agreed: int
    witnessed: int
    unheard: int
    key_since: int | None

    @property
    def whole(self) -> bool:
        return self.count == 0


async def verify(
    store: Store,
    keys: Keys,
    witnessed: Witnessed = NOBODY,
    sealed: Sequence[SealedFile] = (),
    advance: Callable[[int, int], None] = lambda done, all_: None,
) -> Verified:
    """Verify everything that can be reached. `advance` is told how many records of how many were seen.

    Raises NotRecorded, and Refused where records were sealed away meanwhile: what was read is then of two states.
    """

    def question(tx: Reading) -> tuple[list[Seal], TrailEnd, list[str]]:
        return tx.seals(), tx.trail_end(), tx.guard_faults()

    seals, end, guards = await store.read(question)
    newest = Point(seals[-1].last, seals[-1].hash) if seals else START
    files = sorted(sealed, key=lambda one: one.first.seq)
    start = Point(files[0].first.seq - 1, files[0].first.hash) if files else newest
    chain = Chain(keys, start, witnessed.attestations)
    for kind, faults in ((Kind.GUARD, guards), (Kind.WITNESS, witnessed.faults)):
        for words in faults:
            chain.findings.add(kind, 0, words)
    passed = _read_files(chain, files, seals, lambda: advance(chain.count, end.last - start.seq))
    passed = max(passed, _pass_over(chain, newest))
    if end.first and end.first <= newest.seq:
        words = "They stand in a range that was sealed and taken out."
        chain.findings.add(Kind.INSERTED, end.first, words, newest.seq)
    after: Any = newest.seq
    while page := await store.read(lambda tx, after=after: tx.stored_records(after, end.last, PAGE)):  # type: ignore[misc]  # mypy can't type a lambda's default
        chain.read(page)
        after = page[-1][0]
        advance(chain.count, end.last - start.seq)
    chain.finish(end.head)
    if await store.read(lambda tx: tx.seals()) != seals:
        raise Refused("Records were sealed away while the trail was being verified. Verify it again.")
    found = chain.findings
    if end.heads > 1:
        found.add(Kind.HEAD, 0, f"The end of the chain has {end.heads} rows instead of one.")
    _check_seals(found, seals, chain.sealings, files, max(start.seq, passed))
    witnesses = (chain.agreed, chain.witnessed, chain.unheard)
    key_since = None if chain.key.newer or not chain.count else chain.key.since
    return Verified(found.breaks, found.count, chain.count, start.seq + 1, chain.end, *witnesses, key_since)


def _read_files(chain: Chain, files: Sequence[SealedFile], seals: Sequence[Seal], advance: Callable[[], None]) -> int:
    """Read what was sealed, in order, as far as it was given. Returns the last record that was left out; 0: none was."""
    ends, passed = {Point(seal.last, seal.hash) for seal in seals}, 0
    for file in files:
        before = Point(file.first.seq - 1, file.first.hash)
        if before in ends:  # else it is the chain that says what is not as it should be
            passed = max(passed, _pass_over(chain, before))
        for page in file.pages:
            chain.read(page)
            advance()
    return passed


def _pass_over(chain: Chain, until: Point) -> int:
    """Go on behind what was sealed and is not here, and say so. Returns the last record that was left out; 0: none was."""
    if chain.end.seq >= until.seq:
        return 0
    words = f"They were sealed away, and their file was not given: verified from record {until.seq + 1} on."
    chain.findings.add(Kind.SEAL, chain.end.seq + 1, words, until.seq)
    chain.go_on_from(until)
    return until.seq


def _check_seals(
    found: Findings,
    seals: Sequence[Seal],
    sealings: Sequence[Mapping[str, Any]],
    files: Sequence[SealedFile],
    unread: int,
) -> None:
    """Each seal has its record in the chain, and each such record its seal; what opens the door for deleting leaves both.

    `unread`: behind this record every one was read, and not every one before it.
    """
    recorded = {(one.get("first"), one.get("last"), one.get("head"), one.get("digest")) for one in sealings}
    expected = 1
    for number, seal in enumerate(seals, 1):
        if seal.first != expected or seal.last < seal.first:
            words = f"The seal of records {seal.first} to {seal.last} does not begin where the one before it ends."
            found.add(Kind.SEAL, seal.first, words, seal.last)
        expected = seal.last + 1
        known = (seal.first, seal.last, seal.hash, seal.digest) in recorded
        # Its record stands behind what it covers. An older one's may be sealed away itself; the newest one's never is.
        if not known and (number == len(seals) or unread <= seal.last):
            words = f"The trail has no record of sealing {seal.first} to {seal.last}: the seal was made beside the bot."
            found.add(Kind.SEAL, seal.first, words, seal.last)
    for first, last, digest in _without_seal(seals, sealings):
        words = f"The trail says that records {first} to {last} were sealed, and there is no such seal ({digest[:16]})."
        found.add(Kind.SEAL, int(first), words, int(last))
    for file in files:
        if file.digest not in {seal.digest for seal in seals}:
            found.add(Kind.SEAL, file.first.seq, f"{file.name} is not a file that was sealed, or was changed since.")


def _without_seal(seals: Sequence[Seal], sealings: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, int, str]]:
    there = {(seal.first, seal.last, seal.hash, seal.digest) for seal in seals}
    for one in sealings:
        first, last, digest = one.get("first"), one.get("last"), str(one.get("digest"))
        if (
            (first, last, one.get("head"), one.get("digest")) not in there
            and isinstance(first, int)
            and isinstance(last, int)
        ):
            yield first, last, digest


async def note_verified(verified: Verified, by: str, store: Store) -> None:
    """Record that somebody verified the trail, and what came of it. Raises NotRecorded."""
    facts = {
        "first": verified.first,
        "last": verified.head.seq,
        "head": verified.head.hash,
        "breaks": verified.count,
        "witnesses": verified.agreed,
    }

    def work(tx: Writing) -> None:
        tx.record(Entry(Act.TRAIL_VERIFIED, team_id="", user_id="", user_name=by, facts=facts))

    await store.write(work)
