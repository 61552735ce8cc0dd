from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.slack.payload import FORM, JSON, Malformed, _Part, checked, read_body

FIELDS_WITH_A_SHAPE = {*_Part.__struct_fields__, "payload"}
VIEW = {"id": "V1", "callback_id": "x", "private_metadata": "", "state": {"values": {"b": {"a": {"value": None}}}}}


def test_a_slash_command_is_its_form_even_where_its_text_holds_the_word_payload() -> None:
    fields = {"command": "/workflow", "text": "run payload-check", "team_id": "T1"}

    assert read_body(urlencode(fields).encode(), FORM) == fields


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "block_actions", "user": {"id": "U1", "team_id": "T1"}, "actions": [{"action_id": "a", "value": "1"}]},
        {"type": "view_submission", "view": VIEW, "team": None, "enterprise": None, "response_urls": []},
        {
            "type": "event_callback",
            "event": {"type": "user_change", "user": {"id": "U1"}},
            "authorizations": [{"team_id": "T1"}],
        },
        {
            "type": "block_suggestion",
            "view": VIEW | {"blocks": [{"type": "input", "element": {"options": []}}]},
            "value": "",
        },
        {"type": "a_type_of_the_future", "what": {"ever": [1, None]}},
    ],
)
def test_what_slack_sends_is_let_through_as_it_is(payload: dict[str, Any]) -> None:
    raw = json.dumps(payload)

    assert read_body(urlencode({"payload": raw}).encode(), FORM) == payload
    assert read_body(raw.encode(), JSON) == payload


@pytest.mark.parametrize(
    "payload",
    [
        [],
        "text",
        {"user": []},
        {"user": {"id": 1}},
        {"user_id": "U" * 41},
        {"team": {"id": {"id": "T1"}}},
        {"event": None},
        {"actions": [None]},
        {"actions": {"0": {}}},
        {"response_urls": {"0": {}}},
        {"view": {"callback_id": "form"}},
        {"view": {"id": ""}},
        {"view": VIEW | {"state": {"values": {"b": {"a": {"selected_options": [{}]}}}}}},
        {"view": VIEW | {"private_metadata": "x" * 3001}},
        {"text": "a\0b"},
        {"whatever": {"a\0b": []}},
    ],
)
def test_what_has_another_shape_is_malformed(payload: Any) -> None:
    with pytest.raises(Malformed):
        checked(payload)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nul",
        b"\xff",
        b'"\\ud800"',
        b'{"text": "\\ud800 x"}',
        b"NaN",
        b'{"a": 1e999}',
        b"[" * 100_000,
        b"9" * 5000,
    ],
)
def test_what_is_no_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read_body(raw, JSON)


@pytest.mark.parametrize("raw", [b"text=%ff", b"\xff=1", b"&".join(b"a=b" for _ in range(200)), b"payload={", b"a=%00"])
def test_what_is_no_form_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read_body(raw, FORM)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.dictionaries(TEXT.filter(lambda name: name not in FIELDS_WITH_A_SHAPE), TEXT, max_size=5))
@example({"a=b&c": "50 % + a\r\n =41 \\x41 ü \N{PARTY POPPER}"})
def test_a_form_says_what_was_written_into_it(fields: dict[str, str]) -> None:
    assert read_body(urlencode(fields).encode(), FORM) == fields
    assert read_body(urlencode(fields, quote_via=quote).encode(), FORM) == fields


@given(st.binary(max_size=200), st.sampled_from([FORM, JSON]))
def test_any_bytes_are_a_payload_or_malformed(raw: bytes, content_type: str) -> None:
    try:
        assert isinstance(read_body(raw, content_type), dict)
    except Malformed:
        pass
