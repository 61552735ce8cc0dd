from __future__ import annotations

import random

import pytest
import rfc8785

from bot.domain.audit import body_of, link
from bot.domain.audit_keys import NO_KEY, OLDER, UNKNOWN, Keys, key_of, mark, marks_with, read_keys
from bot.domain.chain import Chain
from bot.domain.errors import NotRecorded
from bot.domain.findings import Attestation, Break, Kind, Point
from tests.tampering import BODY, HASH, SEQ, TAMPERINGS, USER, Tampering, Trail, _rewrite, entry, whole_trail

NEW, OLD, OLDEST = b"audit key", b"the old key", b"the oldest key"  # the first is what `whole_trail` takes


def changed(length: int = 20, until: int = 10, old: bytes = OLD) -> Trail:
    return whole_trail(length, NEW, old, until)


def read(trail: Trail, keys: Keys = (NEW, OLD), *attestations: Attestation) -> Chain:
    chain = Chain(keys, attestations=attestations)
    rows = sorted(trail.rows, key=lambda row: row[SEQ])
    for begin in range(0, len(rows), 7):
        chain.read(rows[begin : begin + 7])
    chain.finish(trail.head)
    return chain


def found(chain: Chain) -> list[tuple[Kind, int, int]]:
    return [(one.kind, one.seq, one.until) for one in chain.findings.breaks]


def only(chain: Chain) -> Break:
    (one,) = chain.findings.breaks
    return one


def forge(trail: Trail, count: int, key: bytes) -> None:
    """Records behind the end, as whoever has the database and a key would add them."""
    for _ in range(count):
        seq, at, prev = trail.rows[-1][SEQ] + 1, trail.rows[-1][1], trail.rows[-1][HASH]
        one = entry(seq)
        body = rfc8785.dumps(body_of(one, seq, at, prev))
        trail.rows.append([seq, at, one.act.value, one.user_id, one.workflow, one.run_id, body, link(body, key)])
    trail.head = Point(trail.rows[-1][SEQ], trail.rows[-1][HASH])


# ------------------------------------------------------------------------------------------------------- the setting


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", NO_KEY),
        ("a key with spaces", (b"a key with spaces",)),
        ("none", (b"none",)),
        ("new,old", (b"new", b"old")),
        (" new ,\nold,oldest ", (b"new", b"old", b"oldest")),
        ("new,none", (b"new", b"")),
        ("new,old,none", (b"new", b"old", b"")),
    ],
)
def test_the_setting_names_keys_newest_first(text: str, keys: Keys) -> None:
    assert read_keys(text) == keys


# ---------------------------------------------------------------------------------------------------------- verifying


@pytest.mark.parametrize("keys", [(NEW, OLD), (NEW, OLD, OLDEST), (b"newest", NEW, OLD)])
def test_a_trail_whose_key_was_changed_is_whole(keys: Keys) -> None:
    for until in range(21):
        assert found(read(changed(20, until), keys)) == []


def test_a_trail_that_began_without_a_key_is_whole_where_that_is_said() -> None:
    trail = whole_trail(20, NEW, b"", 10)
    assert found(read(trail, (NEW, b""))) == []
    assert "Or did the trail begin without a key (AUDIT_KEY=new,none)?" in only(read(trail, (NEW,))).words


def test_it_is_told_since_when_the_newest_key_is_in_use() -> None:
    chain = read(changed(20, 10))
    assert (chain.key.since, chain.key.newer) == (11, [])
    assert read(changed(20, 20)).key.newer != []


def test_a_key_may_be_changed_more_than_once_and_one_with_which_nothing_was_recorded_is_passed_over() -> None:
    trail = changed(10, 5, OLDEST)
    assert found(read(trail, (NEW, OLD, OLDEST))) == []
    forge(trail, 3, OLD)
    assert found(read(trail, (NEW, OLD, OLDEST))) == [(Kind.RECHAINED, 11, 13)]


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda one: one.name)
def test_what_was_touched_is_named_wherever_the_key_was_changed(tampering: Tampering) -> None:
    for seed in range(40):
        chance = random.Random(seed)
        length = chance.randrange(4, 30)
        trail = changed(length, chance.randrange(length + 1))
        expected = tampering.do(trail, chance)
        breaks = read(trail).findings.breaks
        hits = [one for one in breaks if one.seq <= expected.last and one.until >= expected.first]
        assert hits, f"seed {seed}: {expected} but {breaks}"


@pytest.mark.parametrize("count", [1, 5])
def test_a_tail_that_was_forged_with_the_old_key_is_named(count: int) -> None:
    trail = changed()
    forge(trail, count, OLD)
    one = only(read(trail))
    assert (one.kind, one.seq, one.until) == (Kind.RECHAINED, 21, 20 + count)
    assert "fits an older key, and record 11 was made with a newer one" in one.words


def test_records_behind_the_change_that_were_rewritten_with_the_old_key_are_named() -> None:
    trail = changed()
    prev = trail.rows[14][HASH]
    for row in trail.rows[15:]:
        _rewrite(row, OLD, prev=prev, request="another")
        prev = row[HASH]
    trail.head = Point(20, prev)
    assert found(read(trail)) == [(Kind.RECHAINED, 16, 20)]
    trail = changed()
    _rewrite(trail.rows[14], OLD, request="another")
    assert found(read(trail)) == [(Kind.RECHAINED, 15, 15), (Kind.FORKED, 15, 16)]


def test_records_before_the_change_that_were_rewritten_with_the_old_key_fork_the_trail_where_the_new_one_begins() -> (
    None
):
    trail = changed()
    prev = trail.rows[4][HASH]
    for row in trail.rows[5:10]:
        _rewrite(row, OLD, prev=prev, request="another")
        prev = row[HASH]
    assert found(read(trail)) == [(Kind.FORKED, 10, 11)]


def test_where_all_that_the_new_key_made_was_cut_off_too_a_witness_of_one_record_of_it_knows() -> None:
    trail = changed()
    known = Attestation(12, trail.rows[11][HASH][:16], "The audit channel")
    del trail.rows[10:]
    forge(trail, 10, OLD)
    unseen = read(trail)
    assert (found(unseen), len(unseen.key.newer)) == ([], 1)  # which verify tells
    assert found(read(trail, (NEW, OLD), known)) == [(Kind.FORKED, 12, 12)]


def test_a_record_of_the_new_key_that_stands_too_early_does_not_end_the_old_one() -> None:
    trail = changed()
    trail.rows[2][BODY], trail.rows[2][HASH] = trail.rows[15][BODY], trail.rows[15][HASH]
    assert max(one.until for one in read(trail).findings.breaks) < 10


def test_behind_a_finding_the_rest_is_looked_at_with_the_key_that_is_valid_there() -> None:
    trail = changed()
    for place in (4, 9, 10, 17):
        trail.rows[place][USER] = "U09OTHER"
    assert [one.seq for one in read(trail).findings.breaks] == [5, 10, 11, 18]


def test_an_old_key_that_is_missing_is_asked_for_by_where_it_was_in_use() -> None:
    one = only(read(changed(), (NEW,)))
    assert (one.kind, one.seq, one.until) == (Kind.RECHAINED, 1, 10)
    assert "No key of AUDIT_KEY fits, and record 11 goes on behind: add the key that was there before it" in one.words
    assert "AUDIT_KEY=new,old" in only(read(changed(20, 1), (NEW,))).words


def test_a_new_key_that_is_missing_is_asked_for() -> None:
    one = only(read(changed(), (OLD,)))
    assert (one.kind, one.seq, one.until) == (Kind.RECHAINED, 11, 20)
    assert "does AUDIT_KEY lack a newer one?" in one.words


def test_keys_in_the_wrong_order_are_asked_about() -> None:
    assert "has AUDIT_KEY not the newest key first?" in only(read(changed(), (OLD, NEW))).words


def test_a_trail_is_read_from_a_seal_on_with_the_keys_that_are_left() -> None:
    trail = changed()
    for sealed, keys in ((10, (NEW,)), (5, (NEW, OLD)), (15, (NEW, OLD))):
        chain = Chain(keys, Point(sealed, trail.rows[sealed - 1][HASH]))
        chain.read(trail.rows[sealed:])
        chain.finish(trail.head)
        assert found(chain) == []


# ---------------------------------------------------------------------------------------------------------- recording


def test_the_key_of_a_record_is_found_among_several() -> None:
    trail = changed(2, 1)
    keys = [key_of(row[BODY], row[HASH], (NEW, OLD)) for row in trail.rows]
    assert keys == [OLD, NEW]
    assert key_of(trail.rows[0][BODY], trail.rows[0][HASH], (NEW,)) is None


def test_a_trail_remembers_the_marks_of_its_keys_and_no_key() -> None:
    marks = marks_with(marks_with("", (OLD,)), (NEW, OLD))
    assert marks == f"{mark(NEW)} {mark(OLD)}"
    assert marks_with(marks, (NEW,)) == marks
    assert len({mark(key) for key in (NEW, OLD, b"")}) == 3
    assert mark(OLD) not in (OLD.decode(), link(b"", OLD)[:16])


@pytest.mark.parametrize(
    ("used", "keys", "words"),
    [
        ((NEW, OLD), (OLD,), OLDER),
        ((NEW, OLD), (OLD, NEW), OLDER),
        ((OLD,), (NEW,), UNKNOWN),
        ((OLD,), NO_KEY, UNKNOWN),
        ((b"",), (NEW,), UNKNOWN),
        ((NEW, b""), NO_KEY, OLDER),
    ],
)
def test_nothing_is_recorded_with_an_older_key_or_by_who_does_not_know_the_last_one(
    used: Keys, keys: Keys, words: str
) -> None:
    with pytest.raises(NotRecorded) as refused:
        marks_with(" ".join(map(mark, used)), keys)
    assert str(refused.value) == words


def test_a_trail_that_began_without_a_key_is_given_one_where_that_is_said() -> None:
    assert marks_with(mark(b""), (NEW, b"")) == f"{mark(NEW)} {mark(b'')}"
