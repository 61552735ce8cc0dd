"""`audit` on the command line: what it prints, for people and for scripts, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.domain.findings import Point
from bot.evidence.signed_heads import Signer, make_key_pair
from tests.integration.audit_trail import as_owner, environment, fill
from tests.integration.command_line import command
from tests.integration.conftest import OpenStore

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
    none = await command(tmp_path, *options, "--public-key", "zzz", **environment(sqlite_url))
    assert (none.code, "--public-key is no Ed25519 key" in none.words) == (2, True), none.words
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
