"""`audit` on the command line: what it prints, for people and for scripts, and how it exits."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.audit import Act, about
from bot.domain.findings import Point
from bot.evidence.lines import csv_header
from bot.evidence.signed_heads import Signer, make_key_pair
from bot.storage import migrate
from bot.storage.guards import _POSTGRES, _SQLITE
from tests.house_rules.repository import text
from tests.integration.chain import KEY, act
from tests.integration.command_line import command
from tests.integration.conftest import OpenStore
from tests.made_up import facts, run


async def fill(open_store: OpenStore, url: str, count: int = 5) -> list[Any]:
    """Some records; returns them."""
    store = open_store(url)

    def work(tx: Any) -> None:
        for number in range(count):
            tx.record(act(f"w{number}"))

    await store.write(work)
    found: list[Any] = await store.read(lambda tx: tx.records(0, 1000))
    return found


def as_owner(url: str, *statements: str) -> None:
    """What the owner of the database can do to it, the triggers first."""
    engine = migrate.plain_engine(url)
    with engine.begin() as connection:
        sqlite = connection.dialect.name == "sqlite"
        for name in _SQLITE if sqlite else [f"{name} ON {table}" for name, (table, _, _) in _POSTGRES.items()]:
            connection.execute(sa.text(f"DROP TRIGGER {name}"))
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


def environment(url: str) -> dict[str, str]:
    return {"DATABASE_URL": url, "AUDIT_KEY": KEY.decode()}


# -------------------------------------------------------------------------------------------------------------- verify


async def test_a_whole_trail_is_said_to_be_whole_and_that_it_was_verified_is_recorded(
    tmp_path: Path, database_url: str, open_store: OpenStore
) -> None:
    records = await fill(open_store, database_url)
    ended = await command(tmp_path, "audit", "verify", **environment(database_url))
    assert (ended.code, ended.output) == (0, "")
    assert f"The trail is whole. Its head is 5:{records[-1].hash}" in ended.words
    assert "5 record(s) verified in " in ended.words
    assert "an old backup would not show" in ended.words
    again = await command(tmp_path, "audit", "verify", "--format", "json", **environment(database_url))
    (summary,) = again.rows
    assert (again.code, summary["whole"], summary["records"], summary["breaks"]) == (0, True, 6, 0)
    tail = await command(tmp_path, "audit", "tail", "--format", "json", **environment(database_url))
    noted = next(row for row in tail.rows if row["act"] == "trail verified")
    assert (noted["last"], noted["head"], noted["breaks"]) == (5, records[-1].hash, 0)
    assert noted["actor"]["name"]


async def test_an_empty_trail_is_whole(tmp_path: Path, database_url: str) -> None:
    ended = await command(tmp_path, "audit", "verify", **environment(database_url))
    assert ended.code == 0
    assert "0 record(s) verified" in ended.words


async def test_where_the_trail_breaks_is_printed_for_people_and_for_scripts_and_exits_with_1(
    tmp_path: Path, database_url: str, open_store: OpenStore
) -> None:
    await fill(open_store, database_url)
    as_owner(
        database_url,
        "UPDATE audit_records SET user_id = 'U02BOB' WHERE seq = 2",
        "DELETE FROM audit_records WHERE seq = 4",
    )
    ended = await command(tmp_path, "audit", "verify", **environment(database_url))
    assert ended.code == 1
    assert "The column says 'U02BOB', the record says 'U01ALICE'." in ended.output
    assert "Nothing stands between record 3 and record 5." in ended.output
    assert "The trigger audit_records_" in ended.output
    assert "The trail is not whole" in ended.words
    scripted = await command(tmp_path, "audit", "verify", "--format", "json", **environment(database_url))
    *breaks, summary = scripted.rows
    assert (scripted.code, summary["whole"], summary["breaks"]) == (1, False, len(breaks))
    touched = [(one["break"], one["from"], one["until"], one["column"]) for one in breaks if one["break"] != "guard"]
    assert touched == [("changed", 2, 2, "user_id"), ("removed", 4, 4, None)]


async def test_a_head_that_somebody_wrote_down_is_looked_for(
    tmp_path: Path, database_url: str, open_store: OpenStore
) -> None:
    records = await fill(open_store, database_url)
    heads = [f"--head={record.seq}:{record.hash[:16]}" for record in records[2:4]]
    good = await command(tmp_path, "audit", "verify", *heads, **environment(database_url))
    assert good.code == 0
    assert "2 word(s) of witnesses agree, up to record 4." in good.words
    assert "Nothing outside the database" not in good.words
    bad = await command(tmp_path, "audit", "verify", "--head", "3:0123456789abcdef", **environment(database_url))
    assert bad.code == 1
    assert "You knows record 3" not in bad.output
    assert "record 3 as 0123456789abcdef" in bad.output
    more = await command(tmp_path, "audit", "verify", "--head", "99:0123456789abcdef", **environment(database_url))
    assert more.code == 1
    assert "record 99" in more.output


@pytest.mark.parametrize(
    "head", ["", "3", "3:", "3:abc", "x:0123456789abcdef", "3:0123456789abcdeg", "-1:0123456789abcdef"]
)
async def test_a_head_that_cannot_be_read_is_wrong_usage(tmp_path: Path, sqlite_url: str, head: str) -> None:
    ended = await command(tmp_path, "audit", "verify", f"--head={head}", **environment(sqlite_url))
    assert ended.code == 2
    assert "42:9b1d" in ended.words


async def test_the_wrong_key_is_asked_about(tmp_path: Path, sqlite_url: str, open_store: OpenStore) -> None:
    await fill(open_store, sqlite_url)
    ended = await command(tmp_path, "audit", "verify", DATABASE_URL=sqlite_url, AUDIT_KEY="not the key")
    assert ended.code == 1
    assert "is AUDIT_KEY the key" in ended.output
    none = await command(tmp_path, "audit", "verify", DATABASE_URL=sqlite_url)
    assert none.code == 1
    assert "AUDIT_KEY" in none.output


async def test_a_trail_that_can_be_read_and_not_written_is_verified_all_the_same(
    tmp_path: Path, sqlite_url: str, open_store: OpenStore
) -> None:
    await fill(open_store, sqlite_url)
    as_owner(sqlite_url, "DELETE FROM audit_head")
    ended = await command(tmp_path, "audit", "verify", "--format", "json", **environment(sqlite_url))
    assert ended.code == 1
    assert "could not be recorded" in ended.words
    assert json.loads(ended.output.splitlines()[-1])["records"] == 5


# -------------------------------------------------------------------------------------------------------------- keygen


async def test_a_key_pair_is_made_once_and_only_its_owner_reads_the_private_key(tmp_path: Path) -> None:
    made = await command(tmp_path, "audit", "keygen", "-o", "signing.key")
    assert made.code == 0
    path = tmp_path / "signing.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert Signer(path.read_text("utf-8")).public_key == made.output.strip()
    before = path.read_text("utf-8")
    again = await command(tmp_path, "audit", "keygen", "-o", "signing.key")
    assert (again.code, path.read_text("utf-8")) == (1, before)
    assert before.strip() not in made.output + made.words + again.output + again.words


async def test_a_witness_file_wants_the_key_that_it_is_signed_with(
    tmp_path: Path, sqlite_url: str, open_store: OpenStore
) -> None:
    records = await fill(open_store, sqlite_url)
    private, public = make_key_pair()
    line = Signer(private)(Point(3, records[2].hash), "2026-01-31T09:30:00.000000Z")
    (tmp_path / "heads.jsonl").write_text(line + "\n", "utf-8")
    options = ("audit", "verify", "--witness", "heads.jsonl")
    nobody = await command(tmp_path, *options, **environment(sqlite_url))
    assert nobody.code == 2
    assert "Give --public-key" in nobody.words
    good = await command(tmp_path, *options, "--public-key", public, **environment(sqlite_url))
    assert good.code == 0
    assert "1 word(s) of witnesses agree, up to record 3." in good.words
    other = await command(tmp_path, *options, "--public-key", make_key_pair()[1], **environment(sqlite_url))
    assert other.code == 1
    assert "signed with a key that was not given" in other.output
    own = {**environment(sqlite_url), "AUDIT_SIGNING_KEY": private, "AUDIT_WITNESS_PATH": "heads.jsonl"}
    assert "up to record 3" in (await command(tmp_path, "audit", "verify", **own)).words
    gone = await command(tmp_path, "audit", "verify", **{**own, "AUDIT_WITNESS_PATH": "gone.jsonl"})
    assert gone.code == 1
    assert "gone.jsonl can't be read" in gone.words


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


def script() -> str:
    """The check of an export that the documents give."""
    found = re.search(r"```python\n(.*?)```", text(Path("docs/audit.md")), re.DOTALL)
    assert found
    return found[1]


def check(lines: str, key: bytes = KEY) -> tuple[int, str]:
    """What a third party finds, with nothing but Python."""
    environment = {"PATH": os.environ["PATH"], "AUDIT_KEY": key.decode()}
    done = subprocess.run(
        [sys.executable, "-I", "-c", script()],
        input=lines,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


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


async def test_that_it_is_exported_is_recorded_before_anything_leaves(
    tmp_path: Path, sqlite_url: str, open_store: OpenStore
) -> None:
    await fill(open_store, sqlite_url)
    ended = await command(tmp_path, "audit", "export", "-o", "trail.jsonl", **environment(sqlite_url))
    assert ended.code == 0
    last = json.loads((tmp_path / "trail.jsonl").read_text("utf-8").splitlines()[-1])
    assert (last["act"], last["first"], last["last"], last["file"]) == ("trail exported", 1, 5, "trail.jsonl")
    as_owner(sqlite_url, "DELETE FROM audit_head")
    refused = await command(tmp_path, "audit", "export", "-o", "other.jsonl", **environment(sqlite_url))
    assert refused.code == 1
    assert not (tmp_path / "other.jsonl").exists()


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
        (exported.replace('"hash": "', '"hash": "0'), "the trail has another one there"),
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
