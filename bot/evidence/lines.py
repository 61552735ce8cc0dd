"""The trail as lines of a file: JSON Lines, or CSV. Each line has the record's canonical bytes and its hash: the chain.

One record is one line, so that a file that was cut off in the middle can be gone on with.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import msgspec

from bot.domain.audit import Record
from bot.domain.chain import Stored

CSV_COLUMNS = (
    "seq", "at", "act", "team", "user", "name", "workflow", "run", "channel", "request", "instance", "state", "reason",
    "error", "hash", "canonical",
)  # fmt: skip
# What a spreadsheet would take for a formula, it is shown to be none; the canonical bytes stay as they are.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class NotALine(ValueError):
    """The line is no record of an export."""


def record_json(record: Record) -> dict[str, object]:
    """A record for scripts: its fields, and what the chain covers."""
    try:
        body = json.loads(record.body)
    except ValueError:
        body = None
    fields = body if isinstance(body, dict) and body else {"seq": record.seq}
    return {**fields, "hash": record.hash, "canonical": record.body.decode("utf-8", "replace")}


def json_line(record: Record) -> str:
    """One line of JSON, with its end: the canonical bytes as they are, with the hash and themselves as text added."""
    if not _is_object(record.body):
        return json.dumps(record_json(record), ensure_ascii=False) + "\n"
    canonical = record.body.decode()
    return f'{canonical[:-1]},"hash":{_text(record.hash)},"canonical":{_text(canonical)}}}\n'


def _is_object(body: bytes) -> bool:
    try:
        return body.endswith(b"}") and len(msgspec.json.decode(body)) > 0
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
        return False


def _text(value: str) -> str:
    return msgspec.json.encode(value).decode()


def csv_header() -> str:
    """The first line of a CSV file."""
    return _csv(CSV_COLUMNS)


def csv_line(record: Record) -> str:
    """One line of CSV, with its end."""
    told = record_json(record)
    actor = told.get("actor")
    told |= actor if isinstance(actor, dict) else {}
    *shown, hash_, canonical = (told.get(name) for name in CSV_COLUMNS)
    return _csv([*(_cell(value) for value in shown), str(hash_), str(canonical)])


def line_end(line: str, form: str) -> tuple[int, str]:
    """The number and the hash of the record in a line. Raises NotALine."""
    try:
        if form == "csv":
            (row,) = csv.reader([line])
            told = dict(zip(CSV_COLUMNS, row, strict=True))
            return int(told["seq"]), told["hash"]
        told = json.loads(line)
        return int(told["seq"]), str(told["hash"])
    except (ValueError, KeyError, TypeError, csv.Error):
        raise NotALine("The line is no record of an export.") from None


def stored(line: str) -> Stored:
    """A line of JSON as a record as it was stored, to be verified. Raises NotALine where its parts don't agree."""
    try:
        told = json.loads(line)
        canonical, hash_ = told.pop("canonical"), told.pop("hash")
        body: dict[str, Any] = json.loads(canonical)
        if told != body:
            raise NotALine(f"Its fields are not those of its canonical bytes (record {told.get('seq')}).")
        columns = (body["seq"], body["at"], body["act"], body["actor"]["user"], body["workflow"], body["run"])
        return (*columns, canonical.encode(), hash_)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError):
        raise NotALine("The line is no record of an export.") from None


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(str(value).splitlines())
    return f"'{text}" if text.startswith(FORMULA) else text


def _csv(cells: Any) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
