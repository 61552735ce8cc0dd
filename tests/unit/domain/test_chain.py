from __future__ import annotations

import random
from collections import Counter

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.audit import body_of, link
from bot.domain.audit_keys import NO_KEY, Keys
from bot.domain.chain import Chain, hasher
from bot.domain.findings import LIMIT, Attestation, Break, Findings, Kind, Point
from tests.tampering import BODY, HASH, KEY, SEQ, TAMPERINGS, Tampering, Trail, entry, whole_trail


def read(trail: Trail, keys: Keys = (KEY,), *attestations: Attestation, page: int = 7) -> Chain:
    chain = Chain(keys, attestations=attestations)
    rows = sorted(trail.rows, key=lambda row: row[SEQ])
    for begin in range(0, len(rows), page):
        chain.read(rows[begin : begin + page])
    chain.finish(trail.head)
    return chain


def named(found: Findings) -> list[tuple[str, int, int, str]]:
    return [(one.kind.value, one.seq, one.until, one.column) for one in found.breaks]


@pytest.mark.parametrize("key", [KEY, b""], ids=["keyed", "plain"])
@pytest.mark.parametrize("length", [0, 1, 2, 50])
def test_a_trail_as_the_bot_writes_it_is_whole(key: bytes, length: int) -> None:
    trail = whole_trail(length, key)
    chain = read(trail, (key,))
    assert (named(chain.findings), chain.count, chain.end) == ([], length, trail.head)


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda one: one.name)
def test_what_was_touched_is_named(tampering: Tampering) -> None:
    for seed in range(40):
        chance = random.Random(seed)
        trail = whole_trail(chance.randrange(4, 30))
        expected = tampering.do(trail, chance)
        found = read(trail).findings
        hits = [
            one
            for one in found.breaks
            if one.kind in expected.kinds and one.seq <= expected.last and one.until >= expected.first
        ]
        assert hits, f"seed {seed}: {expected} but {found.breaks}"


@pytest.mark.parametrize("tampering", [one for one in TAMPERINGS if not one.needs_key], ids=lambda one: one.name)
def test_without_a_key_what_needs_no_key_to_be_found_is_found(tampering: Tampering) -> None:
    for seed in range(40):
        chance = random.Random(seed)
        trail = whole_trail(chance.randrange(4, 30), b"")
        tampering.do(trail, chance)
        assert read(trail, NO_KEY).findings.count, f"seed {seed}"


def test_of_many_tamperings_at_random_each_is_found() -> None:
    chance = random.Random(20261125)
    missed: Counter[str] = Counter()
    for _ in range(3000):
        length = chance.randrange(4, 20)
        trail = whole_trail(length)
        chosen = chance.choices(TAMPERINGS[:-3], k=chance.choice([1, 1, 1, 2]))
        for tampering in chosen:
            if len(trail.rows) >= 4:
                tampering.do(trail, chance)
        if trail != whole_trail(length):  # two may undo each other
            missed[" and ".join(one.name for one in chosen)] += not read(trail).findings.count
    assert +missed == Counter()


def test_one_small_change_makes_one_finding_and_the_rest_is_looked_at_all_the_same() -> None:
    trail = whole_trail(30)
    trail.rows[4][3] = "U09OTHER"
    trail.rows[19][HASH] = "f" * 64
    del trail.rows[10]
    assert named(read(trail).findings) == [
        ("changed", 5, 5, "user_id"),
        ("removed", 11, 11, ""),
        ("changed", 20, 20, "hash"),
    ]


def test_a_finding_says_what_column_and_record_say() -> None:
    trail = whole_trail(3)
    trail.rows[1][3] = "U09OTHER"
    (found,) = read(trail).findings.breaks
    assert found == Break(Kind.CHANGED, 2, 2, "user_id", "The column says 'U09OTHER', the record says 'U03CARA'.")


def test_changed_bytes_are_told_from_a_changed_hash_by_the_next_record() -> None:
    trail = whole_trail(4)
    trail.rows[1][BODY] = trail.rows[1][BODY].replace(b"T01", b"T02")
    (found,) = read(trail).findings.breaks
    assert (found.kind, found.seq, found.column) == (Kind.CHANGED, 2, "body")
    assert "which the next record confirms" in found.words


def test_a_record_in_the_middle_that_was_written_anew_without_a_key_forks_the_trail() -> None:
    trail = whole_trail(6, b"")
    trail.rows[2][BODY] = trail.rows[2][BODY].replace(b"T01", b"T02")
    trail.rows[2][HASH] = link(trail.rows[2][BODY], b"")
    assert named(read(trail, NO_KEY).findings) == [("forked", 3, 4, "")]


def test_findings_are_counted_beyond_those_that_are_kept() -> None:
    trail = whole_trail(300)
    for row in trail.rows:
        row[3] = "U09OTHER"
    found = read(trail).findings
    assert (len(found.breaks), found.count) == (LIMIT, 300)


def test_a_wrong_key_is_one_finding_that_asks_for_the_right_one() -> None:
    (found,) = read(whole_trail(20), (b"wrong",)).findings.breaks
    assert (found.kind, found.seq, found.until) == (Kind.RECHAINED, 1, 20)
    assert "is AUDIT_KEY the key" in found.words


def test_a_cut_off_tail_with_a_fitting_head_shows_by_what_a_witness_knows_and_only_so() -> None:
    trail = whole_trail(20)
    head = trail.rows[14]
    known = Attestation(15, head[HASH][:16], "The audit channel")
    del trail.rows[9:]
    trail.head = Point(9, trail.rows[-1][HASH])
    assert read(trail).findings.count == 0
    (found,) = read(trail, (KEY,), known).findings.breaks
    assert (found.kind, found.seq, found.until) == (Kind.TAIL_CUT, 10, 15)
    assert found.words.startswith("The audit channel has record 15, and the trail ends at 9")


def test_an_old_backup_that_went_on_differently_is_found_where_a_witness_knows_better() -> None:
    before, after = whole_trail(20), whole_trail(20, b"another")
    known = [Attestation(seq, before.rows[seq - 1][HASH][:16], "The audit channel") for seq in (5, 12, 18)]
    restored = Trail([*before.rows[:10]], None)
    prev = restored.rows[-1][HASH]
    for seq in range(11, 21):
        one = entry(seq + 100)
        at = after.rows[seq - 1][1]
        body = rfc8785.dumps(body_of(one, seq, at, prev))
        prev = link(body, KEY)
        restored.rows.append([seq, at, one.act.value, one.user_id, one.workflow, one.run_id, body, prev])
    restored.head = Point(20, prev)
    chain = read(restored, (KEY,), *known)
    assert named(chain.findings) == [("forked", 12, 12, ""), ("forked", 18, 18, "")]
    assert "it was rewritten from some record after 5 on" in chain.findings.breaks[0].words
    assert chain.agreed == 1


def test_time_that_runs_backwards_is_a_doubt() -> None:
    trail = whole_trail(5)
    prev = trail.rows[2][HASH]
    for place, at in ((3, "2026-07-28T11:00:00.000000Z"), (4, "2026-07-28T13:00:00.000000Z")):
        one = entry(place + 1)
        body = rfc8785.dumps(body_of(one, place + 1, at, prev))
        prev = link(body, KEY)
        trail.rows[place] = [place + 1, at, one.act.value, one.user_id, one.workflow, one.run_id, body, prev]
    trail.head = Point(5, prev)
    assert named(read(trail).findings) == [("time runs backwards", 4, 4, "at")]


@pytest.mark.parametrize("odd", [None, 17, 1.5, "text", b"\xff", b"{}", b"[1]", b'{"seq": 1}', b""])
@pytest.mark.parametrize("column", range(1, 8))
def test_whatever_is_put_into_a_row_is_a_finding_and_no_accident(odd: object, column: int) -> None:
    trail = whole_trail(5)
    trail.rows[2][column] = odd
    found = read(trail).findings
    assert [one for one in found.breaks if one.seq <= 3 <= one.until]


def test_a_row_at_a_place_that_is_no_number_is_a_finding() -> None:
    chain = Chain((KEY,))
    trail = whole_trail(3)
    chain.read([*trail.rows, ["x", *trail.rows[0][1:]]])
    chain.finish(trail.head)
    assert [(one.kind, one.words) for one in chain.findings.breaks] == [
        (Kind.INSERTED, "A row stands at 'x', which is no number.")
    ]


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_the_quick_hash_is_the_chain_s_hash(key: bytes, body: bytes) -> None:
    assert hasher(key)(body) == link(body, key)


def test_a_trail_can_be_read_from_any_record_on() -> None:
    trail = whole_trail(20)
    chain = Chain((KEY,), Point(10, trail.rows[9][HASH]))
    chain.read(trail.rows[10:])
    chain.finish(trail.head)
    assert (named(chain.findings), chain.count) == ([], 10)
    wrong = Chain((KEY,), Point(10, "0" * 64))
    wrong.read(trail.rows[10:])
    assert named(wrong.findings) == [("forked", 10, 11, "")]
