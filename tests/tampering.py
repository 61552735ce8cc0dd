"""What somebody with full write access to the database can do to the trail, as changes to its rows.

Each tampering takes the rows of a trail (lists, columns as in `bot.domain.chain.COLUMNS`) and a source of chance, changes
the rows, and says which record a report has to name, and by which words it may call what was done.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import rfc8785

from bot.domain.audit import GENESIS, Act, Entry, body_of, link
from bot.domain.findings import Kind, Point
from tests.made_up import facts

KEY = b"audit key"
SEQ, AT, ACT, USER, WORKFLOW, RUN, BODY, HASH = range(8)
Row = list[Any]
PEOPLE = ("U01ALICE", "U02BOB", "U03CARA")
ACTS = (Act.REQUESTED, Act.LAUNCHING, Act.LAUNCHED, Act.ENDED, Act.DENIED)


@dataclass
class Trail:
    """Rows, and the head that goes with them; `head` None: the row is gone."""

    rows: list[Row]
    head: Point | None


@dataclass(frozen=True)
class Expected:
    """One of `kinds` has to be found where records `first` to `last` are named."""

    kinds: frozenset[Kind]
    first: int
    last: int


@dataclass
class Tampering:
    """One way, and how to do it."""

    name: str
    do: Callable[[Trail, random.Random], Expected]
    needs_key: bool = field(default=False)  # found only where the chain is keyed, or by a witness


def entry(number: int) -> Entry:
    """A made-up act; every one differs from the next."""
    act = ACTS[number % len(ACTS)]
    return Entry(
        act,
        team_id="T01",
        user_id=PEOPLE[number % len(PEOPLE)],
        user_name="Somebody",
        run_id=f"R-{number // 3:04}" if number % 4 else None,
        workflow="restart-service" if number % 5 else None,
        request_id=f"q-{number}",
        facts=facts(act, channel="C01OPS", inputs={"number": number, "env": "staging"}),
    )


def whole_trail(length: int, key: bytes = KEY, old: bytes = b"", until: int = 0) -> Trail:
    """A trail as the bot writes it; its records up to `until` were made with an `old` key."""
    rows: list[Row] = []
    prev = GENESIS
    for seq in range(1, length + 1):
        one = entry(seq)
        at = f"2026-07-28T12:{seq // 60 % 60:02}:{seq % 60:02}.000000Z"
        body = rfc8785.dumps(body_of(one, seq, at, prev))
        prev = link(body, old if seq <= until else key)
        rows.append([seq, at, one.act.value, one.user_id, one.workflow, one.run_id, body, prev])
    return Trail(rows, Point(length, prev))


def _expect(first: int, last: int, *kinds: Kind) -> Expected:
    return Expected(frozenset(kinds), first, last)


def _rewrite(row: Row, key: bytes = b"", **changes: Any) -> None:
    """Write a record's bytes and hash anew, as whoever has no key would."""
    try:
        told = {**json.loads(row[BODY]), **changes}
    except ValueError:  # another tampering has been here before
        told = changes
    row[BODY] = rfc8785.dumps(told)
    row[HASH] = link(row[BODY], key)


def _middle(trail: Trail, chance: random.Random) -> int:
    """Any place but the last one."""
    return chance.randrange(len(trail.rows) - 1)


def change_a_column(trail: Trail, chance: random.Random) -> Expected:
    row = chance.choice(trail.rows)
    column = chance.choice([AT, ACT, USER, WORKFLOW, RUN])
    row[column] = "2026-07-28T23:59:59.000000Z" if column == AT else "something else"
    return _expect(row[SEQ], row[SEQ], Kind.CHANGED)


def change_the_bytes(trail: Trail, chance: random.Random) -> Expected:
    row = chance.choice(trail.rows)
    told = dict(json.loads(row[BODY]))
    told[chance.choice(["act", "at", "request", "channel"])] = "something else"
    row[BODY] = rfc8785.dumps(told)
    return _expect(row[SEQ], row[SEQ], Kind.CHANGED)


def flip_one_bit(trail: Trail, chance: random.Random) -> Expected:
    row = chance.choice(trail.rows)
    body = bytearray(row[BODY])
    body[chance.randrange(len(body))] ^= 1 << chance.randrange(7)
    row[BODY] = bytes(body)
    return _expect(row[SEQ], row[SEQ], Kind.CHANGED)


def change_the_hash(trail: Trail, chance: random.Random) -> Expected:
    row = chance.choice(trail.rows)
    row[HASH] = hashlib.sha256(row[HASH].encode()).hexdigest()
    return _expect(row[SEQ], row[SEQ], Kind.CHANGED)


def change_bytes_and_hash(trail: Trail, chance: random.Random) -> Expected:
    row = trail.rows[_middle(trail, chance)]
    _rewrite(row, actor={"team": "T01", "user": "U09OTHER", "name": ""})
    row[USER] = "U09OTHER"
    return _expect(row[SEQ], row[SEQ], Kind.CHANGED, Kind.RECHAINED, Kind.FORKED)


def delete_one(trail: Trail, chance: random.Random) -> Expected:
    row = trail.rows.pop(_middle(trail, chance))
    return _expect(row[SEQ], row[SEQ], Kind.REMOVED)


def delete_several(trail: Trail, chance: random.Random) -> Expected:
    first = _middle(trail, chance)
    last = chance.randrange(first, len(trail.rows) - 1)
    found = _expect(trail.rows[first][SEQ], trail.rows[last][SEQ], Kind.REMOVED)
    del trail.rows[first : last + 1]
    return found


def delete_and_renumber(trail: Trail, chance: random.Random) -> Expected:
    """Whoever closes the gap has to move the head too."""
    place = chance.randrange(len(trail.rows) - 2)
    row = trail.rows.pop(place)
    for later in trail.rows[place:]:
        later[SEQ] -= 1
    trail.head = Point(trail.rows[-1][SEQ], trail.rows[-1][HASH])
    return _expect(row[SEQ], row[SEQ], Kind.REMOVED)


def insert_one(trail: Trail, chance: random.Random) -> Expected:
    """A made-up record in the middle, and the later ones renumbered in their columns."""
    place = chance.randrange(1, len(trail.rows))
    before = trail.rows[place - 1]
    forged: Row = list(before)
    forged[SEQ] = before[SEQ] + 1
    _rewrite(forged, seq=forged[SEQ], prev=before[HASH], act="launched")
    forged[ACT] = "launched"
    for later in trail.rows[place:]:
        later[SEQ] += 1
    trail.rows.insert(place, forged)
    trail.head = Point(trail.rows[-1][SEQ], trail.rows[-1][HASH])
    return _expect(forged[SEQ], forged[SEQ], Kind.INSERTED, Kind.FORKED)


def insert_a_copy(trail: Trail, chance: random.Random) -> Expected:
    place = chance.randrange(2, len(trail.rows) - 1)
    copy = list(trail.rows[chance.randrange(place - 1)])
    copy[SEQ] = trail.rows[place][SEQ]
    for later in trail.rows[place:]:
        later[SEQ] += 1
    trail.rows.insert(place, copy)
    trail.head = Point(trail.rows[-1][SEQ], trail.rows[-1][HASH])
    return _expect(copy[SEQ], copy[SEQ], Kind.INSERTED, Kind.REORDERED)


def append_one(trail: Trail, chance: random.Random) -> Expected:
    """A made-up record at the end, with the head left where it was."""
    last = trail.rows[-1]
    forged: Row = list(last)
    forged[SEQ] = last[SEQ] + 1
    _rewrite(forged, seq=forged[SEQ], prev=last[HASH])
    trail.rows.append(forged)
    return _expect(forged[SEQ], forged[SEQ], Kind.INSERTED)


def append_one_and_move_the_head(trail: Trail, chance: random.Random) -> Expected:
    found = append_one(trail, chance)
    trail.head = Point(found.first, trail.rows[-1][HASH])
    return _expect(found.first, found.first, Kind.RECHAINED)


def swap_two(trail: Trail, chance: random.Random) -> Expected:
    one, other = sorted(chance.sample(range(len(trail.rows)), 2))
    rows = trail.rows
    rows[one][SEQ], rows[other][SEQ] = rows[other][SEQ], rows[one][SEQ]
    rows[one], rows[other] = rows[other], rows[one]
    return _expect(rows[one][SEQ], rows[one][SEQ], Kind.REORDERED)


def move_one(trail: Trail, chance: random.Random) -> Expected:
    """One record goes to another place, and those between are renumbered."""
    places = [row[SEQ] for row in trail.rows]
    start, goal = chance.sample(range(len(trail.rows) - 1), 2)
    trail.rows.insert(goal, trail.rows.pop(start))
    for place, row in zip(places, trail.rows, strict=True):
        row[SEQ] = place
    first, last = sorted((places[start], places[goal]))
    return _expect(first, last, Kind.REORDERED, Kind.REMOVED, Kind.INSERTED)


def cut_the_tail(trail: Trail, chance: random.Random) -> Expected:
    keep = chance.randrange(1, len(trail.rows))
    found = _expect(trail.rows[keep][SEQ], trail.rows[-1][SEQ], Kind.TAIL_CUT)
    del trail.rows[keep:]
    return found


def delete_everything(trail: Trail, chance: random.Random) -> Expected:
    found = _expect(1, trail.rows[-1][SEQ], Kind.TAIL_CUT)
    trail.rows.clear()
    return found


def rechain(trail: Trail, chance: random.Random) -> Expected:
    """Change a record, and write all hashes from there on anew, without the key."""
    place = _middle(trail, chance)
    first = trail.rows[place][SEQ]
    prev = trail.rows[place - 1][HASH] if place else GENESIS
    key = chance.choice([b"", b"another key"])
    for number, row in enumerate(trail.rows[place:]):
        _rewrite(row, key, prev=prev, **({} if number else {"request": "another"}))
        prev = row[HASH]
    trail.head = Point(trail.rows[-1][SEQ], prev)
    return _expect(first, trail.rows[-1][SEQ], Kind.RECHAINED)


def set_the_head_back(trail: Trail, chance: random.Random) -> Expected:
    row = trail.rows[_middle(trail, chance)]
    trail.head = Point(row[SEQ], row[HASH])
    return _expect(row[SEQ] + 1, trail.rows[-1][SEQ], Kind.INSERTED)


def change_the_heads_hash(trail: Trail, chance: random.Random) -> Expected:
    last = trail.rows[-1][SEQ]
    trail.head = Point(last, "0" * 64)
    return _expect(last, last, Kind.HEAD)


def take_the_head_away(trail: Trail, chance: random.Random) -> Expected:
    trail.head = None
    return _expect(0, 0, Kind.HEAD)


TAMPERINGS: Sequence[Tampering] = (
    Tampering("change a column", change_a_column),
    Tampering("change the bytes", change_the_bytes),
    Tampering("flip one bit", flip_one_bit),
    Tampering("change the hash", change_the_hash),
    Tampering("change bytes and hash", change_bytes_and_hash),
    Tampering("delete one", delete_one),
    Tampering("delete several", delete_several),
    Tampering("delete one and renumber", delete_and_renumber),
    Tampering("insert one", insert_one),
    Tampering("insert a copy", insert_a_copy),
    Tampering("append one", append_one),
    Tampering("append one and move the head", append_one_and_move_the_head, needs_key=True),
    Tampering("swap two", swap_two),
    Tampering("move one", move_one),
    Tampering("cut the tail", cut_the_tail),
    Tampering("delete everything", delete_everything),
    Tampering("re-chain", rechain, needs_key=True),
    Tampering("set the head back", set_the_head_back),
    Tampering("change the head's hash", change_the_heads_hash),
    Tampering("take the head away", take_the_head_away),
)
