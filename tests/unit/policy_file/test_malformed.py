"""Hundreds of malformed policy files: each is refused in words that name file and line, and none costs much."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path

import pytest

from bot.domain.errors import InvalidPolicy
from bot.policy_file.compile import compile_policy
from bot.policy_file.document import CHARACTERS
from bot.policy_file.patterns import check_pattern
from bot.policy_file.reader import parse_policy, read_policy
from tests.malformed_policies import BY_HAND, GOOD, malformed

FILES = dict(malformed())
LINE = re.compile(r"[^\n]*workflows\.yml:[1-9][0-9]*: [^\n]+")


def test_there_are_hundreds_of_them() -> None:
    assert len(FILES) >= 300


def test_what_they_were_made_from_is_fine() -> None:
    compile_policy(parse_policy(json.dumps(GOOD), "workflows.yml"), None)


@pytest.mark.parametrize("name", FILES)
def test_a_malformed_file_is_refused_in_words_that_name_file_and_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "workflows.yml"
    path.write_bytes(FILES[name])
    with pytest.raises(InvalidPolicy) as error:
        compile_policy(read_policy(path), None)
    for line in str(error.value).split("\n"):
        assert LINE.fullmatch(line), line
        assert len(line) < 1000


@pytest.mark.parametrize("name", [name for name in BY_HAND if "laughs" in name])
def test_a_bomb_takes_no_memory(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InvalidPolicy):
            parse_policy(FILES[name].decode(), "workflows.yml")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_of_an_endless_file_no_more_is_read_than_a_policy_may_hold(tmp_path: Path) -> None:
    path = tmp_path / "workflows.yml"
    with path.open("wb") as file:
        file.truncate(100 * CHARACTERS)
    with pytest.raises(InvalidPolicy, match="longer than"):
        read_policy(path)


def test_anchors_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "workflows.yml"
    path.write_text(
        "version: 1\nworkflows:\n  one: &one { id: a, tags: &tags [ops] }\n"
        "  two: { <<: *one, id: b }\n  three: { id: c, tags: *tags }\n",
        encoding="utf-8-sig",
    )
    assert [w.tags for w in read_policy(path).fields.workflows.values()] == [["ops"]] * 3


@pytest.mark.parametrize(
    "pattern",
    [
        "[A-Z]+-[0-9]+",
        "[a-z]+(-[a-z]+)*",
        "([a-z]+-)*[a-z]+",
        r"[\w.-]+@[\w-]+(\.[\w-]+)+",
        r"\d{1,3}(\.\d{1,3}){3}",
        "(web|api)-[0-9]+",
        "(a|b|c)*",
        "([0-9a-f]{4})+",
        "(?i:v)?[0-9]+(,[0-9]+)*",
        ".{1,200}",
    ],
)
def test_a_pattern_that_reads_a_text_in_one_way_is_accepted(pattern: str) -> None:
    assert check_pattern(pattern) == pattern
