"""What looking through the trail can find, and what is known of it outside the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.audit import GENESIS

LIMIT = 100  # findings that are kept; more are counted


class Kind(StrEnum):
    """What was done to the trail."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TAIL_CUT = "tail cut"
    FORKED = "forked"
    RECHAINED = "re-chained without the key"
    BACKWARDS = "time runs backwards"
    HEAD = "head changed"
    SEAL = "seal"
    GUARD = "guard"
    WITNESS = "witness"


@dataclass(frozen=True, slots=True)
class Break:
    """One finding: records `seq` to `until` (0: none in particular), the column where it is one, and a sentence."""

    kind: Kind
    seq: int
    until: int
    column: str
    words: str


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the trail, and the hash of the record there: the head, a seal's end, or the start."""

    seq: int
    hash: str


START = Point(0, GENESIS)


@dataclass(frozen=True, slots=True)
class Attestation:
    """What somebody outside the database knows: the hash, or its first digits, of the record at a place."""

    seq: int
    hash: str
    source: str


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What witnesses say, and a sentence for whatever of it can't be trusted."""

    attestations: Sequence[Attestation] = ()
    faults: Sequence[str] = ()


@dataclass(slots=True)
class Findings:
    """What was found, the first `LIMIT` of it, and how much there is."""

    breaks: list[Break] = field(default_factory=list)
    count: int = 0

    def add(self, kind: Kind, seq: int, words: str, until: int | None = None, column: str = "") -> None:
        self.count += 1
        if len(self.breaks) < LIMIT:
            self.breaks.append(Break(kind, seq, seq if until is None else until, column, words))
