"""The trail is searched and exported; a third party verifies what was exported."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.audit import Act, Record, about
from bot.domain.errors import NotRecorded
from bot.evidence.lines import csv_header
from bot.use_cases.ports import Store
from bot.use_cases.read_audit_trail import export
from tests.integration.audit_trail import as_owner, check, environment, fill, script
from tests.integration.command_line import command
from tests.integration.conftest import OpenStore
from tests.made_up import facts, run

# -------------------------------------------------------------------------------------------------------------- search


async def various(open_store: OpenStore, url: str) -> None:
    """Two people, two workflows, and every outcome."""
    store = open_store(url)
    ends = (("succeeded", "web"), ("failed", "web"), ("failed", "api"), ("cancelled", "web"))

    def work(tx: Any) -> None:
        for number, (state, workflow) in enumerate(ends):
            one = run(id=f"R-000000000{number}", workflow=workflow, user_id=f"U0{number}")
            tx.record(about(one, Act.REQUESTED, **facts(Act.REQUESTED, channel="C01OPS")))
            tx.record(about(one, Act.ENDED, channel="C01OPS", state=state, status="as Datadog says"))
        tx.record(about(run(), Act.LAUNCH_REFUSED, error="no"))
        tx.record(about(run(), Act.UNKNOWN, error="lost"))
        tx.record(about(run(), Act.CANCEL_DENIED, "U09", "Nobody"))

    await store.write(work)


@pytest.mark.parametrize(
    ("options", "seqs"),
    [
        ([], list(range(1, 12))),
        (["--user", "U02"], [5, 6]),
        (["--workflow", "api"], [5, 6]),
        (["--run", "r-0000000001"], [3, 4]),
        (["--act", "ended"], [2, 4, 6, 8]),
        (["--outcome", "failed"], [4, 6]),
        (["--outcome", "failed", "--workflow", "web"], [4]),
        (["--outcome", "not started"], [9]),
        (["--outcome", "unknown"], [10]),
        (["--outcome", "denied"], [11]),
        (["--outcome", "denied", "--act", "ended"], []),
        (["--since", "2020-01-01", "--limit", "2"], [10, 11]),
        (["--until", "2020-01-01T00:00+01:00"], []),
        (["--since", "2999-01-01"], []),
        (["--user", "nobody"], []),
    ],
    ids=str,
)
async def test_the_trail_is_searched_by_all_that_is_given(
    tmp_path: Path, database_url: str, open_store: OpenStore, options: list[str], seqs: list[int]
) -> None:
    await various(open_store, database_url)
    ended = await command(tmp_path, "audit", "search", "--format", "json", *options, **environment(database_url))
    assert (ended.code, [row["seq"] for row in ended.rows]) == (0, seqs)
    shown = await command(tmp_path, "audit", "search", *options, **environment(database_url))
    assert ("Nothing in the trail fits." in shown.words) is not bool(seqs)


async def test_what_is_shown_of_the_trail_says_how_each_run_ended(
    tmp_path: Path, sqlite_url: str, open_store: OpenStore
) -> None:
    await various(open_store, sqlite_url)
    for reading in (["tail"], ["search"]):
        shown = await command(tmp_path, "audit", *reading, **environment(sqlite_url))
        ends = [line.split()[-1] for line in shown.output.splitlines() if " ended " in line]
        assert ends == ["succeeded", "failed", "failed", "cancelled"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--act", "launch"], "Did you mean “launched”?"),
        (["--since", "yesterday"], "“yesterday” is no moment"),
        (["--outcome", "fine"], "'fine' is not one of"),
    ],
)
async def test_what_cannot_be_searched_for_is_wrong_usage(
    tmp_path: Path, sqlite_url: str, options: list[str], words: str
) -> None:
    ended = await command(tmp_path, "audit", "search", *options, **environment(sqlite_url))
    assert ended.code == 2
    assert words in ended.words


# -------------------------------------------------------------------------------------------------------------- export


def test_the_check_that_the_documents_give_is_short() -> None:
    assert len(script().splitlines()) <= 40


async def test_a_third_party_finds_an_export_whole_and_each_change_in_it(
    tmp_path: Path, database_url: str, open_store: OpenStore
) -> None:
    records = await fill(open_store, database_url, 20)
    exported = await command(tmp_path, "audit", "export", **environment(database_url))
    lines = exported.output.splitlines(keepends=True)
    assert check(exported.output) == (0, f"ok, the head is 21 {json.loads(lines[-1])['hash']}\n")
    code, said = check("".join(lines[5:]))
    assert (code, said.splitlines()[0]) == (0, f"begins at record 6 after hash {records[4].hash}")
    for spoiled, finding in (
        ([*lines[:7], *lines[8:]], "record 8 is missing"),
        ([*lines[:7], lines[8], lines[7], *lines[9:]], "record 8 is missing, or stands elsewhere: record 9"),
        ([*lines[:7], lines[7].replace("T01", "T02"), *lines[8:]], "record 8 has a hash that is not its own"),
        ([*lines[:7], lines[7].replace('"T01"', '"T02"', 1), *lines[8:]], "record 8 has fields"),
    ):
        assert check("".join(spoiled))[0] == 1
        assert finding in check("".join(spoiled))[1]
    assert check(exported.output, b"wrong")[0] == 1
    assert check("")[0] == 1


def exports_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if "jsonl" in path.name]


async def test_that_it_is_exported_is_recorded_before_anything_leaves(
    tmp_path: Path, sqlite_url: str, open_store: OpenStore
) -> None:
    await fill(open_store, sqlite_url)
    ended = await command(tmp_path, "audit", "export", "-o", "trail.jsonl", **environment(sqlite_url))
    assert ended.code == 0
    last = json.loads((tmp_path / "trail.jsonl").read_text("utf-8").splitlines()[-1])
    assert (last["act"], last["first"], last["last"], last["file"]) == ("trail exported", 1, 5, "trail.jsonl")
    as_owner(sqlite_url, "DELETE FROM audit_head")
    before = (tmp_path / "trail.jsonl").read_text("utf-8")
    for name in ("other.jsonl", "trail.jsonl"):
        refused = await command(tmp_path, "audit", "export", "-o", name, **environment(sqlite_url))
        assert refused.code == 1
    assert exports_in(tmp_path) == ["trail.jsonl"]
    assert (tmp_path / "trail.jsonl").read_text("utf-8") == before


async def test_an_export_that_is_broken_off_leaves_the_file_from_before_as_it_was(
    tmp_path: Path, sqlite_url: str, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(open_store, sqlite_url)
    path, options = tmp_path / "trail.jsonl", ("audit", "export", "-o", "trail.jsonl")
    assert (await command(tmp_path, *options, **environment(sqlite_url))).code == 0
    before = path.read_text("utf-8")

    async def broken_off(after: int, store: Store) -> AsyncIterator[Record]:
        async for record in export(after, store):
            yield record
            raise NotRecorded

    monkeypatch.setattr("bot.cli.audit_export.export_trail", broken_off)
    assert (await command(tmp_path, *options, **environment(sqlite_url))).code == 1
    assert (exports_in(tmp_path), path.read_text("utf-8")) == (["trail.jsonl"], before)


async def test_an_export_over_a_file_is_for_the_same_people_as_that_was(
    tmp_path: Path, sqlite_url: str, open_store: OpenStore
) -> None:
    await fill(open_store, sqlite_url)
    path = tmp_path / "trail.jsonl"
    path.touch(0o600)
    assert (await command(tmp_path, "audit", "export", "-o", path.name, **environment(sqlite_url))).code == 0
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("how", [[], ["--resume"]], ids=str)
async def test_a_file_that_cannot_be_written_is_told_in_a_sentence(
    tmp_path: Path, sqlite_url: str, open_store: OpenStore, how: list[str]
) -> None:
    await fill(open_store, sqlite_url)
    ended = await command(tmp_path, "audit", "export", *how, "-o", "no folder/trail.jsonl", **environment(sqlite_url))
    assert (ended.code, ended.words) == (1, "no folder/trail.jsonl can't be written: No such file or directory.\n")
    tail = await command(tmp_path, "audit", "tail", "--format", "json", **environment(sqlite_url))
    assert "trail exported" not in [row["act"] for row in tail.rows]  # nothing has left


@pytest.mark.parametrize("form", ["json", "csv"])
async def test_an_export_is_gone_on_with_where_it_ended_also_when_it_was_cut_off(
    tmp_path: Path, database_url: str, open_store: OpenStore, form: str
) -> None:
    path = tmp_path / f"trail.{form}"
    options = ("audit", "export", "--format", form, "--resume", "-o", str(path))
    await fill(open_store, database_url)
    for _ in range(2):  # the first makes the file
        assert (await command(tmp_path, *options, **environment(database_url))).code == 0
    whole = path.read_bytes()
    assert whole.count(b"\n") == 7 + (form == "csv")
    path.write_bytes(whole[:-40])
    again = await command(tmp_path, *options, **environment(database_url))
    assert (again.code, "The last line was cut off" in again.words) == (0, True)
    assert path.read_bytes().startswith(whole)
    await fill(open_store, database_url, 2000)
    assert (await command(tmp_path, *options, **environment(database_url))).code == 0
    lines = path.read_text("utf-8").splitlines(keepends=True)
    if form == "json":
        assert check("".join(lines))[0] == 0
    else:
        rows = list(csv.DictReader(lines))
        assert [int(row["seq"]) for row in rows] == list(range(1, 2010))
        as_json = [
            json.dumps(json.loads(row["canonical"]) | {k: row[k] for k in ("hash", "canonical")}) for row in rows
        ]
        assert check("\n".join(as_json))[0] == 0


async def test_a_file_that_is_not_of_this_trail_is_not_gone_on_with(
    tmp_path: Path, sqlite_url: str, open_store: OpenStore
) -> None:
    await fill(open_store, sqlite_url)
    exported = (await command(tmp_path, "audit", "export", **environment(sqlite_url))).output
    path = tmp_path / "trail.jsonl"
    for content, words in (
        (exported.replace('"hash":"', '"hash":"0'), "the trail has another one there"),
        ("something else\n", "is no record of an export as json"),
        (csv_header(), "is no record of an export as json"),
    ):
        path.write_text(content, "utf-8")
        ended = await command(tmp_path, "audit", "export", "--resume", "-o", str(path), **environment(sqlite_url))
        assert (ended.code, path.read_text("utf-8")) == (1, content)
        assert words in ended.words
    for options in (["--resume"], ["--resume", "-o", str(path), "--after", "2"]):
        assert (await command(tmp_path, "audit", "export", *options, **environment(sqlite_url))).code == 2


async def test_a_spreadsheet_takes_nothing_for_a_formula(
    tmp_path: Path, sqlite_url: str, open_store: OpenStore
) -> None:
    store = open_store(sqlite_url)
    name = '=HYPERLINK("https://evil.example")\nsecond line'
    one = run(user_name=name)

    def work(tx: Any) -> None:
        tx.record(about(one, Act.CANCEL_ASKED, instance="+1"))

    await store.write(work)
    exported = await command(tmp_path, "audit", "export", "--format", "csv", **environment(sqlite_url))
    row = next(csv.DictReader(exported.output.splitlines()))
    assert row["name"] == '\'=HYPERLINK("https://evil.example") second line'
    assert row["instance"] == "'+1"
    assert json.loads(row["canonical"])["actor"]["name"] == name
