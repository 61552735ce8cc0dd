from __future__ import annotations

import csv
import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.audit import Record, link
from bot.evidence.lines import CSV_COLUMNS, NotALine, csv_line, json_line, line_end, record_json, stored
from tests.made_up import TEXT
from tests.tampering import whole_trail


def record(**body: object) -> Record:
    raw = rfc8785.dumps({"seq": 7, **body})  # type: ignore[dict-item]  # JSON, by whoever calls
    return Record(7, raw, link(raw, b""))


@given(st.dictionaries(TEXT, TEXT, max_size=4))
def test_a_line_of_json_is_one_line_and_holds_the_record_and_its_chain(facts: dict[str, str]) -> None:
    one = record(facts=facts)
    line = json_line(one)
    assert line.count("\n") == 1
    assert json.loads(line) == json.loads(json.dumps(record_json(one)))
    assert json.loads(line)["canonical"].encode() == one.body
    assert line_end(line, "json") == (7, one.hash)


@given(TEXT, TEXT)
def test_a_line_of_csv_is_one_line_with_every_column(name: str, error: str) -> None:
    one = record(actor={"name": name, "team": "T01", "user": "U01"}, error=error, act="ended")
    line = csv_line(one)
    assert len(line.split("\n")) == 2
    (row,) = csv.reader([line])
    told = dict(zip(CSV_COLUMNS, row, strict=True))
    assert (told["canonical"].encode(), told["user"], told["act"]) == (one.body, "U01", "ended")
    assert not told["name"].startswith(("=", "+", "-", "@"))
    assert line_end(line, "csv") == (7, one.hash)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"null", b"{}", b'"}"', b"\xff}", b'{"a": 1'])
def test_bytes_that_are_no_record_are_exported_as_they_are(body: bytes) -> None:
    line = json.loads(json_line(Record(7, body, "h" * 64)))
    assert (line["seq"], line["hash"]) == (7, "h" * 64)
    assert line["canonical"] == body.decode("utf-8", "replace")


def test_a_line_is_read_back_as_it_was_stored_and_only_where_its_parts_agree() -> None:
    row = whole_trail(1).rows[0]
    line = json_line(Record(1, row[6], row[7]))
    assert list(stored(line)) == row
    for wrong in (line.replace('"T01"', '"T02"', 1), "{}", "[]", "nonsense", line[:50]):
        with pytest.raises(NotALine):
            stored(wrong)
