from __future__ import annotations

from typing import Any

import pytest

from bot.domain.runs import State
from tests.chaos.replay import missing

RUN: list[dict[str, Any]] = [
    {"act": "requested"},
    {"act": "approval asked"},
    {"act": "approved", "still_needed": ["managers"]},
    {"act": "approved", "still_needed": []},
    {"act": "launching"},
    {"act": "unknown"},
    {"act": "resolved", "how": "the only one"},
    {"act": "cancel asked"},
    {"act": "ended", "state": "succeeded"},
]


def test_a_whole_trail_tells_where_the_run_is() -> None:
    assert missing(RUN, State.SUCCEEDED) == ""
    assert missing(RUN[:5], State.LAUNCHING) == ""
    assert missing(RUN, State.FAILED) == "the trail has it succeeded, and it is failed"


@pytest.mark.parametrize("lacks", [0, 1, 3, 4, 5, 6, 8])
def test_a_change_of_state_without_its_record_is_missed(lacks: int) -> None:
    assert missing([*RUN[:lacks], *RUN[lacks + 1 :]], State.SUCCEEDED)


def test_records_out_of_order_are_noticed() -> None:
    assert missing([*RUN[:4], RUN[5], RUN[4], *RUN[6:]], State.SUCCEEDED)
    assert missing([RUN[0], *RUN], State.SUCCEEDED) == "it was requested twice"
