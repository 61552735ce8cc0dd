from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.redaction import HIDDEN, Redactor, hide
from tests.made_up import JSON, TEXT

SECRETS = ("hunter2", 'with "quotes" and \\', "two\nlines", "hunter2hunter2", "emoji 🙂 here")


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_hidden_as_typed_on_one_line_and_escaped(secret: str) -> None:
    one_line = " ".join(secret.split())
    for text in (f"a {secret} b", f"a {one_line} b", json.dumps({"a": secret}), repr([one_line])):
        cleaned = Redactor(SECRETS).text(text)
        assert secret not in cleaned
        assert json.dumps(secret)[1:-1] not in cleaned
        assert HIDDEN in cleaned


@given(JSON, st.lists(TEXT.filter(lambda text: len(text) >= 4), max_size=3))
def test_whatever_the_value_no_secret_is_left_in_it(value: object, secrets: list[str]) -> None:
    cleaned = hide(value, secrets)

    def texts(part: object) -> list[str]:
        if isinstance(part, str):
            return [part]
        if isinstance(part, dict):
            return [text for pair in part.items() for one in pair for text in texts(one)]
        return [text for one in part for text in texts(one)] if isinstance(part, list) else []

    left = [text.replace(HIDDEN, "") for text in texts(cleaned)]
    assert not [secret for secret in secrets for text in left if secret in text and HIDDEN not in secret]


def test_short_values_leave_no_holes_and_what_is_learned_later_is_hidden_too() -> None:
    redactor = Redactor(["web"], mark="…")
    assert redactor.text("the web is a web of hunter2") == "the web is a web of hunter2"
    redactor.learn(["hunter2"])
    assert redactor.text("the web is a web of hunter2") == "the web is a web of …"


def test_what_is_no_text_stays_as_it_is() -> None:
    value = {"a": [1, 2.5, None, True], "hunter2": ("hunter2",)}
    assert hide(value, ["hunter2"]) == {"a": [1, 2.5, None, True], HIDDEN: [HIDDEN]}
