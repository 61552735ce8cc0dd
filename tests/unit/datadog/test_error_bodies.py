from __future__ import annotations

import json

import pytest

from bot.datadog.error_bodies import SENTENCE_LIMIT, TEXT_LIMIT, read_error
from tests.datadog_recordings import every_recording, recording


@pytest.mark.parametrize(
    ("body", "sentence", "code"),
    [
        ({"errors": ["Forbidden"]}, "Forbidden", None),
        ({"errors": [{"title": "Forbidden"}]}, "Forbidden", None),
        ({"errors": [{"code": "INSTANCE_NOT_FOUND", "detail": "not found"}]}, "not found", "INSTANCE_NOT_FOUND"),
        ({"errors": [{"code": "NO_WORDS"}]}, "NO_WORDS", "NO_WORDS"),
        ({"errors": [{"title": "Invalid Parameter", "detail": "an id."}]}, "Invalid Parameter: an id", None),
        ({"errors": ["one", {"detail": "two"}, "one", 3, None]}, "one; two", None),
        ({"errors": "alone"}, "alone", None),
        ({"message": "from a gateway"}, "from a gateway", None),
        ({"errors": []}, "", None),
        ({"errors": {"detail": "no list"}}, "no list", None),
        ([], "", None),
        (7, "", None),
    ],
)
def test_an_error_is_a_text_or_an_object(body: object, sentence: str, code: str | None) -> None:
    found = read_error(json.dumps(body).encode())
    assert (found.sentence, found.code) == (sentence, code)


def test_a_web_page_is_read_without_its_tags() -> None:
    page = (
        b"<html><head><style>b{x:1}</style><script>alert(1)</script></head><body><h1>Bad\n gateway</h1>a &amp; b</body>"
    )
    assert read_error(page).sentence == "Bad gateway a & b"


def test_a_long_body_is_cut() -> None:
    assert len(read_error(b"<p>" + b"word " * 10_000).sentence) <= TEXT_LIMIT
    assert len(read_error(json.dumps({"errors": ["x" * 3_000]}).encode()).sentence) == SENTENCE_LIMIT


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"[" * 100_000, b"<" * 50_000])
def test_no_body_is_too_broken(body: bytes) -> None:
    assert len(read_error(body).sentence) <= TEXT_LIMIT


def test_control_characters_never_reach_a_message() -> None:
    assert read_error(json.dumps({"errors": ["a\x1b[31m\nb\u2028c"]}).encode()).sentence == "a [31m b c"


@pytest.mark.parametrize("secret", ["hunter2", 'with "quotes"', "two\nlines", "hunter2hunter2"])
def test_a_quoted_secret_is_hidden_in_every_form(secret: str) -> None:
    for body in (
        json.dumps({"errors": [{"title": f"bad {secret}", "detail": f"value {json.dumps(secret)} is bad"}]}).encode(),
        f"<p>{secret}</p>".encode(),
    ):
        sentence = read_error(body, [secret, "hunter2"]).sentence
        assert not any(word in sentence for word in ("hunter", "quotes", "lines"))
        assert "…" in sentence


def test_what_is_no_code_is_not_taken_for_one() -> None:
    assert read_error(b'{"errors": [{"code": "<b>", "detail": "d"}, {"code": "REAL"}]}').code == "REAL"


@pytest.mark.parametrize("name", every_recording())
def test_every_recorded_error_is_put_in_words(name: str) -> None:
    response = recording(name)["response"]
    if response["status"] < 400 or not response["body"]:
        return
    found = read_error(json.dumps(response["body"]).encode())
    for entry in response["body"]["errors"]:
        words = entry if isinstance(entry, str) else entry.get("detail", entry.get("title"))
        assert words.rstrip(".") in found.sentence
