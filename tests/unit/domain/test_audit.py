from __future__ import annotations

import hashlib
import hmac
import json

import rfc8785

from bot.domain.audit import GENESIS, VERSION, Act, Entry, body_of, link

ENTRY = Entry(
    Act.REQUESTED,
    team_id="T01",
    user_id="U01ALICE",
    user_name="Alice",
    run_id="R-1",
    workflow="restart-service",
    request_id="q-1",
    facts={"channel": "C01OPS", "inputs": {"env": "staging"}},
)


def body(entry: Entry = ENTRY, seq: int = 1, prev: str = GENESIS) -> bytes:
    return rfc8785.dumps(body_of(entry, seq, "2026-07-28T12:00:00.000000Z", prev))


def test_a_record_says_who_did_what_when_and_with_which_inputs() -> None:
    read = json.loads(body())
    assert read["v"] == VERSION
    assert read["seq"] == 1
    assert read["prev"] == GENESIS
    assert read["at"] == "2026-07-28T12:00:00.000000Z"
    assert read["act"] == "requested"
    assert read["actor"] == {"team": "T01", "user": "U01ALICE", "name": "Alice"}
    assert (read["run"], read["workflow"], read["request"]) == ("R-1", "restart-service", "q-1")
    assert (read["channel"], read["inputs"]) == ("C01OPS", {"env": "staging"})


def test_the_hash_changes_with_anything_in_the_record_and_with_the_record_before() -> None:
    changed = [
        body(seq=2),
        body(prev="1" * 64),
        body(Entry(Act.DENIED, "T01", "U01ALICE")),
        body(Entry(Act.REQUESTED, "T01", "U02BOB")),
    ]
    assert len({link(each, None) for each in [body(), *changed]}) == 5


def test_without_a_key_the_hash_is_plain_sha256_so_that_anybody_can_check_it() -> None:
    assert link(body(), None) == hashlib.sha256(body()).hexdigest()


def test_with_a_key_nobody_without_it_can_make_the_hash() -> None:
    assert link(body(), b"key") == hmac.new(b"key", body(), hashlib.sha256).hexdigest()
    assert link(body(), b"key") != link(body(), b"other") != link(body(), None)


def test_no_act_is_ever_taken_from_the_list() -> None:
    ever = {
        "requested",
        "denied",
        "launching",
        "launched",
        "launch refused",
        "launch postponed",
        "unknown",
        "policy applied",
    }
    assert ever <= {act.value for act in Act}


def test_every_act_fits_its_column() -> None:
    assert all(len(act.value) <= 40 for act in Act)
