"""Whether the trail is whole: every stored record against its hash, its columns and its neighbours, and what was touched.

Pure, and in constant memory: a record is seen once, in the order of its place. What was done to one shows in what the
next one says of it, so a finding about a record may come one record later.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bot.domain.audit import Act
from bot.domain.audit_keys import NONE, Keys, ValidKey
from bot.domain.findings import START, Attestation, Findings, Kind, Point

# A record as it is stored: its columns in this order, `at` as the canonical bytes write it.
COLUMNS = ("seq", "at", "act", "user_id", "workflow", "run_id", "body", "hash")
Stored = Sequence[Any]


class _Actor(msgspec.Struct, gc=False):
    user: str


class _Told(msgspec.Struct, gc=False):
    """What the canonical bytes say of what the columns say too; the rest of them isn't read."""

    seq: int
    prev: str
    at: str
    act: str
    actor: _Actor
    workflow: str | None
    run: str | None


_decode = msgspec.json.Decoder(_Told).decode
PLAIN, OLDER = "is plain SHA-256", "fits an older key"
UNREADABLE = (msgspec.MsgspecError, TypeError, UnicodeDecodeError)


@functools.lru_cache
def hasher(key: bytes) -> Callable[[bytes], str]:
    """What `link` does, for many records: HMAC (RFC 2104) over two hash states that hold the key already.

    The standard library's one-shot function takes more than twice as long, which is most of what verifying takes.
    """
    if not key:
        return lambda body: hashlib.sha256(body).hexdigest()
    block = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def hash_of(body: bytes) -> str:
        within, around = inner.copy(), outer.copy()
        within.update(body)
        around.update(within.digest())
        return around.hexdigest()

    return hash_of


@dataclass(slots=True)
class _Suspects:
    """Records in a row whose hash is not their own, each linked to the one before: what comes after them settles it."""

    first: int
    last: int
    forged: str  # how the hash of each was made, where that is known and not as it has to be
    differs: str  # where bytes and columns disagree, in words


class Chain:
    """Reads a trail from behind `start` on."""

    def __init__(
        self,
        keys: Keys,
        start: Point = START,
        attestations: Iterable[Attestation] = (),
    ) -> None:
        self.findings = Findings()
        self.count = 0  # records seen
        self.sealings: list[Mapping[str, Any]] = []  # the records of ranges that were sealed
        self.agreed = 0  # attestations that the trail agrees with
        self.key = ValidKey([hasher(key) for key in reversed(keys)], start.seq + 1)
        self._keyed = any(keys)
        self._start = start
        self._place, self._hash, self._own = start.seq, start.hash, start.hash
        self._at = ""
        self._good = start  # the last record in its place whose hash is its own
        self._suspects: _Suspects | None = None
        self._moved: tuple[int, int] | None = None  # a place, and the number of the record that stands there instead
        self._shift = 0  # how far records stand from their numbers, from some place on
        self._attestations: dict[int, list[Attestation]] = {}
        for one in attestations:
            self._attestations.setdefault(one.seq, []).append(one)
        self.witnessed = 0  # the furthest record that a witness agrees about

    @property
    def end(self) -> Point:
        """The last record seen."""
        return Point(self._place, self._hash)

    def read(self, rows: Sequence[Stored]) -> None:
        """Look at the next records. What is as it should be costs a decoding, a hash and a few comparisons."""
        hash_of, attestations, sealed = self.key.hash_of, self._attestations, Act.TRAIL_SEALED.value
        place, prev, last_at, calm = self._place, self._hash, self._at, self._calm
        for row in rows:
            seq, at, act, user, workflow, run, body, stored = row
            try:
                told = _decode(body)
            except UNREADABLE:
                told = None
            if (
                calm
                and told is not None
                and seq == place + 1 == told.seq
                and told.prev == prev
                and stored == hash_of(body)
                and told.act == act
                and told.actor.user == user
                and told.workflow == workflow
                and told.run == run
                and last_at <= told.at == at
            ):
                place, prev, last_at = seq, stored, at
                if act == sealed:
                    self.sealings.append(msgspec.json.decode(body))
            else:
                self._stand(place, prev, last_at, calm)
                self._examine(row, told)
                place, prev, last_at, calm = self._place, self._hash, self._at, self._calm
                hash_of = self.key.hash_of  # a newer key may be valid from here on
            if seq in attestations:
                self._hear(seq, stored)
        self.count += len(rows)
        self._stand(place, prev, last_at, calm)

    def go_on_from(self, point: Point) -> None:
        """Leave out what stands before `point`: it isn't there to be looked at."""
        self._stand(point.seq, point.hash, self._at, calm=True)
        self._suspects, self._moved, self._shift = None, None, 0

    def finish(self, head: Point | None) -> None:
        """Say what the end tells: the head, and whoever was told of more than there is."""
        own, place = self._own, self._place
        if self._suspects is not None:
            self._settle_at_end(self._suspects, head)
        if self._moved is not None:
            self._add_moved(self._moved)
        if head is None:
            self.findings.add(Kind.HEAD, 0, "The row with the end of the chain is missing.")
        elif head.seq > place:
            words = f"The head names record {head.seq}, and the trail ends at {place}."
            self.findings.add(Kind.TAIL_CUT, place + 1, words, head.seq)
        elif head.seq < place:
            words = f"The head names record {head.seq}, and there are more behind it: added beside the bot, or it was set back."
            self.findings.add(Kind.INSERTED, head.seq + 1, words, place)
        elif head.hash not in (self._hash, own):
            self.findings.add(
                Kind.HEAD, place, f"The head names another hash than that of record {place}.", column="hash"
            )
        self._hear_of_more()

    @property
    def unheard(self) -> int:
        """Attestations about records before the first one that was read."""
        return sum(len(found) for seq, found in self._attestations.items() if seq <= self._start.seq)

    @property
    def _calm(self) -> bool:
        """Nothing waits to be settled, and records stand where their numbers say."""
        return self._suspects is None and self._moved is None and not self._shift

    def _stand(self, place: int, prev: str, last_at: str, calm: bool) -> None:
        self._place, self._hash, self._at = place, prev, last_at
        if calm:
            self._own, self._good = prev, Point(place, prev)

    def _examine(self, row: Stored, told: _Told | None) -> None:
        """A record that is not as it should be, or comes after one that was not."""
        seq, stored = row[0], row[7]
        if not isinstance(seq, int):
            self.findings.add(Kind.INSERTED, 0, f"A row stands at {_short(seq)}, which is no number.")
            return
        further, own = self.key.fit(_bytes(row[6]), stored)
        genuine = told if own == stored else None
        gap = seq > self._place + 1
        if gap:
            words = f"Nothing stands between record {self._place} and record {seq}."
            self.findings.add(Kind.REMOVED, self._place + 1, words, seq - 1)
        elif seq <= self._place:
            self.findings.add(Kind.REORDERED, seq, f"Record {seq} comes after record {self._place}.")
        self._settle(told, genuine is not None, gap)
        if genuine is None:
            if self._moved is not None:
                self._add_moved(self._moved)
            self._suspect(row, told)
        else:
            self._find_place(seq, genuine, gap)
            self._compare(row, genuine)
            if genuine.act == Act.TRAIL_SEALED:
                self.sealings.append(msgspec.json.decode(_bytes(row[6])))
            if self._moved is None:
                self._good = Point(seq, own)
                self.key.move_on(further, seq)
        self._place, self._hash, self._own = seq, stored, own

    def _suspect(self, row: Stored, told: _Told | None) -> None:
        seq, stored = row[0], row[7]
        if self._keyed and hashlib.sha256(_bytes(row[6])).hexdigest() == stored:
            forged = PLAIN
        else:
            forged = OLDER if self.key.is_over(_bytes(row[6]), stored) else ""
        if self._suspects is not None:
            self._suspects.last = seq
            self._suspects.forged = forged if self._suspects.forged == forged else ""
            return
        if told is None:
            differs = " They can't be read as a record."
        else:
            named = [name for name, stored, said in self._columns(row, told) if stored != said]
            named += ["seq"] if told.seq != seq else []
            differs = f" They differ from the columns in {', '.join(named)}." if named else ""
        self._suspects = _Suspects(seq, seq, forged, differs)

    def _settle(self, told: _Told | None, genuine: bool, gap: bool) -> None:
        """What was done to the records before, by what this one says of the one before it."""
        found = self._suspects
        if found is None or (told is not None and not gap and not genuine and told.prev == self._hash):
            return  # in the second case they may all be of one forger: the next one may tell
        self._suspects = None
        before = None if told is None or gap else told.prev
        if genuine and before == self._good.hash:
            words = "It stands between two records of which the second names the first as the one before it."
            self.findings.add(Kind.INSERTED, found.first, words, found.last)
        elif before == self._own and found.first == found.last:
            words = "Its canonical bytes are whole, by its hash in the next record; its own hash was changed."
            self.findings.add(Kind.CHANGED, found.first, words, column="hash")
        elif found.forged:
            self._add_rechained(found)
        elif genuine and before == self._hash and found.first == self._start.seq + 1 and not found.differs:
            words = (
                f"No key of AUDIT_KEY fits, and record {found.last + 1} goes on behind: add the key that was there before it"
                " (AUDIT_KEY=new,old). If there was none, their canonical bytes were changed."
            )
            kind = Kind.CHANGED if found.first == found.last else Kind.RECHAINED
            self.findings.add(kind, found.first, words, found.last)
        else:
            kept = (
                "are not those of its hash, which the next record confirms"
                if before == self._hash
                else "and its hash were changed"
            )
            words = f"Its canonical bytes {kept}.{found.differs}"
            self.findings.add(Kind.CHANGED, found.first, words, found.last, "body")

    def _settle_at_end(self, found: _Suspects, head: Point | None) -> None:
        if found.forged or found.first != found.last:
            self._add_rechained(found)
        elif head is not None and head.hash == self._own:
            words = "Its canonical bytes are whole, by its hash in the head; its own hash was changed."
            self.findings.add(Kind.CHANGED, found.first, words, column="hash")
        else:
            words = f"Its canonical bytes are not those of its hash.{found.differs}"
            self.findings.add(Kind.CHANGED, found.first, words, column="body")

    def _add_rechained(self, found: _Suspects) -> None:
        if found.first == self._start.seq + 1 and not found.forged:
            key = (
                "is AUDIT_KEY the key with which the trail was written?"
                if self._keyed
                else "does AUDIT_KEY have to be set?"
            )
            words = f"No hash fits: {key}"
        else:
            how = found.forged or "does not fit AUDIT_KEY"
            words = f"The hash of each {how}: written anew by somebody without the key."
            if found.forged == OLDER:
                words = (
                    f"The hash of each {how}, and record {self.key.since} was made with a newer one: written anew by somebody"
                    " who has the old one. Or has AUDIT_KEY not the newest key first?"
                )
            elif found.forged == PLAIN and found.first == self._start.seq + 1:
                words += f" Or did the trail begin without a key (AUDIT_KEY=new,{NONE})?"
            elif not found.forged:
                words += " Or does AUDIT_KEY lack a newer one?"
        self.findings.add(Kind.RECHAINED, found.first, words, found.last)

    def _find_place(self, seq: int, told: _Told, gap: bool) -> None:
        """Whether a genuine record stands where it belongs, behind the one that it names."""
        shift = seq - told.seq
        linked = told.prev in (self._hash, self._own)
        follows = told.prev == self._good.hash
        moved, self._moved = self._moved, None
        if moved is not None:
            place, number = moved
            later = number > place - self._shift
            if follows and not gap and not later:
                self.findings.add(Kind.INSERTED, place, f"A copy of record {number} stands here.", seq - 1)
                self._shift = shift
                return
            if linked and shift == place - number:
                if later:
                    words = "They are missing, and the records behind them were renumbered."
                    self.findings.add(Kind.REMOVED, place - self._shift, words, number - 1)
                else:
                    self._add_moved(moved)
                self._shift = shift
                return
            self._add_moved(moved)
        if shift == self._shift:
            if not (linked or follows or gap or moved):
                words = f"Record {seq} follows another record {self._place} than the one that is there."
                self.findings.add(Kind.FORKED, self._place, words, seq)
        elif follows and not gap:
            self._shift = shift  # something was inserted before it, and has been named
        elif follows:
            self.findings.add(Kind.CHANGED, seq, f"It was written as record {told.seq}.", column="seq")
            self._shift = shift
        else:
            self._moved = (seq, told.seq)

    def _add_moved(self, moved: tuple[int, int]) -> None:
        place, number = moved
        self._moved = None
        self.findings.add(Kind.REORDERED, place, f"Record {number} stands in its place.")

    def _columns(self, row: Stored, told: _Told) -> list[tuple[str, Any, Any]]:
        said = (told.at, told.act, told.actor.user, told.workflow, told.run)
        return list(zip(COLUMNS[1:6], row[1:6], said, strict=True))

    def _compare(self, row: Stored, told: _Told) -> None:
        for name, stored, said in self._columns(row, told):
            if stored != said:
                words = f"The column says {_short(stored)}, the record says {_short(said)}."
                self.findings.add(Kind.CHANGED, row[0], words, column=name)
        if self._moved is None:
            if told.at < self._at:
                words = f"It was written at {told.at}, before the record in front of it."
                self.findings.add(Kind.BACKWARDS, row[0], words, column="at")
            self._at = max(self._at, told.at)

    def _hear(self, seq: int, stored: Any) -> None:
        for one in self._attestations.pop(seq):
            if str(stored).startswith(one.hash):
                self.agreed += 1
                self.witnessed = seq
                continue
            words = (
                f"{one.source} has record {seq} as {one.hash[:16]}, and the trail has {str(stored)[:16]}:"
                f" it was rewritten from some record after {max(self.witnessed, self._start.seq)} on."
            )
            self.findings.add(Kind.FORKED, seq, words)

    def _hear_of_more(self) -> None:
        furthest: dict[str, int] = {}
        for seq, found in self._attestations.items():
            for one in found:
                if seq > self._place:
                    furthest[one.source] = max(seq, furthest.get(one.source, 0))
        for source, seq in sorted(furthest.items()):
            words = (
                f"{source} has record {seq}, and the trail ends at {self._place}:"
                " its end was cut off, or an old backup was restored."
            )
            self.findings.add(Kind.TAIL_CUT, self._place + 1, words, seq)


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body).encode("utf-8", "surrogatepass")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
