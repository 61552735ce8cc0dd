from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.audit import GENESIS, VERSION, Act, Draft, Entry, about, body_of, link
from bot.domain.facts import FACTS
from tests.made_up import OBJECTS, TEXT, facts, run

ENTRY = Entry(
    Act.REQUESTED,
    team_id="T01",
    user_id="U01ALICE",
    user_name="Alice",
    run_id="R-1",
    workflow="restart-service",
    request_id="q-1",
    facts=facts(Act.REQUESTED, channel="C01OPS", inputs={"env": "staging"}),
)


def denied(user: str) -> Entry:
    return Entry(Act.DENIED, "T01", user, facts=facts(Act.DENIED))


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
    changed = [body(seq=2), body(prev="1" * 64), body(denied("U01ALICE")), body(denied("U02BOB"))]
    assert len({link(each, b"") for each in [body(), *changed]}) == 5


@given(TEXT, st.integers(1, 2**53 - 1), st.dictionaries(st.sampled_from(["inputs", "secret_inputs"]), OBJECTS))
def test_a_draft_in_its_place_is_the_record_in_canonical_form(name: str, seq: int, inputs: dict[str, Any]) -> None:
    entry = Entry(Act.REQUESTED, "T01", "U01", name, "R-1", None, "q", facts(Act.REQUESTED, **inputs))
    at, draft = "2026-07-28T12:00:00.000000Z", Draft(entry)
    for place in (seq, 1):  # a group that failed is tried again, from the same entries
        assert draft.body(place, at, "1" * 64) == rfc8785.dumps(body_of(entry, place, at, "1" * 64))


def test_without_a_key_the_hash_is_plain_sha256_so_that_anybody_can_check_it() -> None:
    assert link(body(), b"") == hashlib.sha256(body()).hexdigest()


def test_with_a_key_nobody_without_it_can_make_the_hash() -> None:
    assert link(body(), b"key") == hmac.new(b"key", body(), hashlib.sha256).hexdigest()
    assert link(body(), b"key") != link(body(), b"other") != link(body(), b"")


def test_no_act_is_ever_taken_from_the_list() -> None:
    ever = {
        "requested", "denied", "launching", "launched", "launch refused", "launch postponed", "unknown", "resolved", "ended",
        "cancel asked", "cancel denied", "cancel refused", "locked", "unlocked", "lock denied", "grant added",
        "grant removed", "definition changed", "policy applied",
    }  # fmt: skip
    assert ever <= {act.value for act in Act}


def test_every_act_fits_its_column() -> None:
    assert all(len(act.value) <= 40 for act in Act)


def test_every_act_has_its_facts() -> None:
    assert sorted(FACTS) == sorted(Act)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "lacks channel"),
        ({"channel": "C01OPS", "chanel": "C01OPS"}, "has chanel"),
        ({"channel": "C01OPS", "seq": 7}, "has seq"),
    ],
)
def test_an_entry_with_other_facts_than_its_acts_is_an_error_of_the_program(given: dict[str, str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Entry(Act.CANCEL_DENIED, "T01", "U01ALICE", facts=given)


def test_an_act_on_a_run_is_its_requesters_unless_somebody_else_did_it() -> None:
    mine = about(run(), Act.CANCEL_ASKED, instance=None)
    assert (mine.team_id, mine.user_id, mine.user_name, mine.request_id) == (
        "T01LOCAL",
        "U01ALICE",
        "Alice",
        "request-1",
    )
    bobs = about(run(), Act.CANCEL_ASKED, "U02BOB", "Bob", request_id="another", instance=None)
    assert (bobs.team_id, bobs.user_id, bobs.user_name, bobs.request_id) == ("T01LOCAL", "U02BOB", "Bob", "another")
    stranger = about(run(), Act.CANCEL_DENIED, "U77", "Sam", team_id="T99OTHER")
    assert (stranger.team_id, stranger.user_id) == ("T99OTHER", "U77")
    operator = about(run(), Act.CANCEL_ASKED, "", "root", request_id="", instance=None)
    assert (operator.team_id, operator.user_id, operator.user_name, operator.request_id) == ("", "", "root", "")
