from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.observability import HIDDEN, configure_logging, hide_in_logs
from bot.use_cases.telemetry import REQUEST

SECRET = "correct-horse-battery"


log = logging.getLogger("test.observability")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers = []  # so that nobody closes pytest's own
    log.disabled = False  # import-linter, run by another test, disables every logger that is there
    yield
    root.handlers, root.level = handlers, level


@pytest.fixture(params=["text", "json"])
def written(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging("INFO", request.param, [SECRET, "short", ""])
    return stream


def test_secrets_are_hidden_in_messages_and_arguments(written: io.StringIO) -> None:
    log.info("key %s", SECRET)
    log.info("key " + SECRET)  # noqa: G003 - what a library may do
    log.info("keys %(keys)s", {"keys": [SECRET, {"a": SECRET}]})
    assert SECRET not in written.getvalue()
    assert written.getvalue().count(HIDDEN) == 4


def test_a_secret_that_is_learned_later_is_hidden_from_then_on(written: io.StringIO) -> None:
    for secret in ("learned-later", "tiny", "learned-later"):
        hide_in_logs(secret)
    log.info("keys %s learned-later tiny", SECRET)
    assert f"keys {HIDDEN} {HIDDEN} tiny" in written.getvalue()


def test_secrets_are_hidden_in_tracebacks_and_their_causes(written: io.StringIO) -> None:
    try:
        try:
            raise ValueError(SECRET)
        except ValueError as error:
            raise RuntimeError(f"wrapped {SECRET}") from error
    except RuntimeError:
        log.exception("failed with %s", SECRET)
    assert SECRET not in written.getvalue()
    assert "RuntimeError: wrapped [hidden]" in written.getvalue()
    assert "ValueError: [hidden]" in written.getvalue()


@pytest.mark.parametrize(
    "shape",
    [
        "xoxb-1234-5678-abcDEF",
        "xoxp-1234-abc",
        "xapp-1-A01-123-abc",
        "xoxe.xoxb-1-abcdef",
        "https://hooks.slack.com/commands/T01/123/abc",
        "https://hooks.slack.com/actions/T01/123/abc",
    ],
)
def test_what_looks_like_a_token_or_a_one_time_address_is_hidden_though_nobody_named_it(
    written: io.StringIO, shape: str
) -> None:
    log.warning("got %s back", shape)
    assert shape not in written.getvalue()
    assert "back" in written.getvalue()


def test_a_wrong_format_string_neither_stops_the_work_nor_shows_a_secret(written: io.StringIO) -> None:
    log.info("%d", SECRET)
    log.info("%(key)s", SECRET)
    assert SECRET not in written.getvalue()
    assert written.getvalue().count(HIDDEN) == 2


def test_short_values_are_not_taken_for_secrets(written: io.StringIO) -> None:
    log.info("a short walk")
    assert "a short walk" in written.getvalue()


def test_what_was_attached_to_a_record_is_cleaned_too(written: io.StringIO) -> None:
    log.info("attached", extra={"header": f"Bearer {SECRET}"})
    assert "attached" in written.getvalue()
    assert SECRET not in written.getvalue()


def test_json_is_one_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging("INFO", "json", [])
    log.info("two\nlines")
    (line,) = stream.getvalue().splitlines()
    read = json.loads(line)
    assert (read["level"], read["name"], read["message"]) == ("INFO", "test.observability", "two\nlines")
    assert read["time"]


def test_libraries_that_log_bodies_stay_quiet(written: io.StringIO) -> None:
    for name in ("slack_bolt", "slack_sdk.web", "httpx", "aiohttp.access"):
        logging.getLogger(name).info("a body")
        logging.getLogger(name).warning("a warning")
    assert "a body" not in written.getvalue()
    assert written.getvalue().count("a warning") == 4


def test_the_level_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging("ERROR", "text", [])
    log.warning("a warning")
    logging.getLogger("httpx").warning("another")
    log.error("an error")
    assert "warning" not in stream.getvalue()
    assert "an error" in stream.getvalue()


@pytest.mark.parametrize(("form", "shown"), [("text", "began [request abc123]"), ("json", '"request": "abc123"')])
def test_a_line_says_on_behalf_of_which_request_it_was_written(
    monkeypatch: pytest.MonkeyPatch, form: str, shown: str
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging("INFO", form, [])
    log.info("before")
    token = REQUEST.set("abc123")
    log.info("began")
    REQUEST.reset(token)
    log.info("after")
    before, during, after = stream.getvalue().splitlines()
    assert shown in during
    assert "request" not in before + after
