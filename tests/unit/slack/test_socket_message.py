from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.socket_message import LIFE, Disconnect, Envelope, Hello, read_message

HELLO = {
    "type": "hello",
    "num_connections": 2,
    "connection_info": {"app_id": "A1"},
    "debug_info": {"host": "x", "approximate_connection_time": 360},
}


def test_each_kind_of_message_is_told_apart() -> None:
    assert read_message(json.dumps(HELLO)) == Hello(2, "A1", 360.0)
    assert read_message('{"type": "disconnect", "reason": "warning"}') == Disconnect("warning")
    envelope = {
        "type": "events_api",
        "envelope_id": "e",
        "payload": {"a": 1},
        "retry_attempt": 2,
        "retry_reason": "timeout",
    }
    headers = {"x-slack-retry-num": "2", "x-slack-retry-reason": "timeout"}
    assert read_message(json.dumps(envelope)) == Envelope("e", {"a": 1}, headers)


@pytest.mark.parametrize(
    "debug", [None, {}, {"approximate_connection_time": "soon"}, {"approximate_connection_time": -1}]
)
def test_a_hello_that_does_not_say_how_long_is_for_an_hour(debug: object) -> None:
    hello = read_message(json.dumps(HELLO | {"debug_info": debug}))

    assert isinstance(hello, Hello)
    assert hello.life == LIFE


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "envelope_id", "payload", "connection_info", "debug_info", "num_connections", "reason"]
                ),
                inner | st.just("hello"),
            )
        ),
    )
)
def test_no_message_makes_it_stumble(message: object) -> None:
    assert isinstance(read_message(json.dumps(message)), Hello | Disconnect | Envelope | None)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "9" * 10_000, "\ud800", '{"envelope_id": "' + "e" * 300 + '", "payload": {}}']
)
def test_what_slack_never_sends_is_nothing(text: str) -> None:
    assert read_message(text) is None
