"""An old part of the trail is sealed into a file, and what is left stays verifiable."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.audit import Act, about
from bot.domain.errors import Refused
from bot.storage import migrate
from bot.use_cases.verify_trail import verify as verify_trail
from tests.integration.audit_trail import as_owner, check, environment, fill
from tests.integration.chain import KEY
from tests.integration.command_line import Ended, command
from tests.integration.conftest import OpenStore
from tests.made_up import run

# ---------------------------------------------------------------------------------------------------------------- seal


async def seal(tmp_path: Path, url: str, before: str, file: str) -> Ended:
    return await command(tmp_path, "audit", "seal", "--before", before, "-o", file, **environment(url))


async def verify(tmp_path: Path, url: str, *files: str) -> Ended:
    options = [option for file in files for option in ("--sealed", file)]
    return await command(tmp_path, "audit", "verify", "--format", "json", *options, **environment(url))


def found(ended: Ended) -> list[tuple[str, int, int]]:
    return [(row["break"], row["from"], row["until"]) for row in ended.rows[:-1]]


async def test_a_range_is_sealed_and_the_trail_is_verified_from_there_on_and_with_the_file_from_the_start(
    tmp_path: Path, database_url: str, open_store: OpenStore
) -> None:
    records = await fill(open_store, database_url, 30)
    ended = await seal(tmp_path, database_url, "21", "one.jsonl")
    assert ended.code == 0, ended.words
    assert "Records 1 to 20 are in one.jsonl and not in the database any more." in ended.words
    digest = hashlib.sha256((tmp_path / "one.jsonl").read_bytes()).hexdigest()
    assert f"SHA-256: {digest}" in ended.words
    tail = await command(tmp_path, "audit", "tail", "--format", "json", **environment(database_url))
    assert tail.rows[0]["seq"] == 21
    noted = tail.rows[-1]
    assert (noted["act"], noted["first"], noted["last"], noted["head"], noted["digest"], noted["records"]) == (
        "trail sealed",
        1,
        20,
        records[19].hash,
        digest,
        20,
    )
    alone, whole = await verify(tmp_path, database_url), await verify(tmp_path, database_url, "one.jsonl")
    assert (alone.code, alone.rows[-1]["first"]) == (0, 21), alone.output
    assert (whole.code, whole.rows[-1]["first"]) == (0, 1), whole.output
    assert whole.rows[-1]["records"] == 32
    exported = await command(tmp_path, "audit", "export", **environment(database_url))
    assert "It begins at record 21" in exported.words
    code, said = check((tmp_path / "one.jsonl").read_text("utf-8") + exported.output)
    assert (code, said.startswith("ok, the head is")) == (0, True), said


async def test_seals_follow_each_other_and_a_witness_of_sealed_records_is_heard_with_their_file(
    tmp_path: Path, database_url: str, open_store: OpenStore
) -> None:
    records = await fill(open_store, database_url, 30)
    for before, file in (("11", "one.jsonl"), ("21", "two.jsonl"), ("2999-01-01", "three.jsonl")):
        assert (await seal(tmp_path, database_url, before, file)).code == 0
    assert (await verify(tmp_path, database_url)).code == 0
    files = ("two.jsonl", "one.jsonl", "three.jsonl")
    assert (await verify(tmp_path, database_url, *files)).code == 0
    head = f"{records[4].seq}:{records[4].hash[:16]}"
    options = ("audit", "verify", "--format", "json", "--head", head)
    apart = await command(tmp_path, *options, **environment(database_url))
    assert apart.rows[-1]["witnesses"] == {"agree": 0, "until": 0, "sealed": 1}
    given = [option for file in files for option in ("--sealed", file)]
    together = await command(tmp_path, *options, *given, **environment(database_url))
    assert together.rows[-1]["witnesses"] == {"agree": 1, "until": 5, "sealed": 0}
    some = await verify(tmp_path, database_url, "one.jsonl")
    assert some.code == 1
    assert found(some)[0] == ("seal", 11, 32)
    missing = await verify(tmp_path, database_url, "one.jsonl", "three.jsonl")
    assert (missing.code, found(missing)) == (1, [("seal", 11, 20)])


async def test_a_sealed_file_that_is_not_given_is_missing_and_nobody_is_accused(
    tmp_path: Path, database_url: str, open_store: OpenStore
) -> None:
    await fill(open_store, database_url, 30)
    for before, file in (("11", "one.jsonl"), ("2999-01-01", "two.jsonl"), ("2999-01-01", "three.jsonl")):
        assert (await seal(tmp_path, database_url, before, file)).code == 0
    for given, missing in (
        (["one.jsonl"], [(11, 32)]),
        (["one.jsonl", "two.jsonl"], [(32, 32)]),
        (["one.jsonl", "three.jsonl"], [(11, 31)]),
        (["two.jsonl"], [(32, 32)]),
        (["two.jsonl", "three.jsonl"], []),
    ):
        ended = await verify(tmp_path, database_url, *given)
        assert found(ended) == [("seal", *one) for one in missing], (given, ended.output)
        assert ended.code == int(bool(missing))
        assert "beside the bot" not in ended.output
        assert ended.output.count("their file was not given") == len(missing)


async def test_an_older_seal_that_was_made_beside_the_bot_is_found_out_where_what_follows_it_was_read(
    tmp_path: Path, database_url: str, open_store: OpenStore
) -> None:
    await fill(open_store, database_url, 30)
    for before, file in (("11", "one.jsonl"), ("21", "two.jsonl")):
        assert (await seal(tmp_path, database_url, before, file)).code == 0
    as_owner(database_url, f"UPDATE audit_seals SET digest = '{'d' * 64}' WHERE first_seq = 1")
    for files in ([], ["two.jsonl"], ["one.jsonl", "two.jsonl"]):
        ended = await verify(tmp_path, database_url, *files)
        assert ("made beside the bot" in ended.output, ended.code) == (bool(files), 1), files


async def test_a_seal_that_comes_between_is_no_finding_and_the_trail_is_to_be_verified_again(
    tmp_path: Path, database_url: str, open_store: OpenStore
) -> None:
    await fill(open_store, database_url, 30)
    store = open_store(database_url)

    class SealsAfterTheFirstLook:
        looks = 0

        async def read(self, question: Any) -> Any:
            answer = await store.read(question)
            self.looks += 1
            if self.looks == 1:
                assert (await seal(tmp_path, database_url, "21", "one.jsonl")).code == 0
            return answer

    with pytest.raises(Refused, match="sealed away while the trail was being verified"):
        await verify_trail(SealsAfterTheFirstLook(), (KEY,))  # type: ignore[arg-type]  # it only reads
    assert (await verify_trail(store, (KEY,))).whole


async def test_a_sealed_file_that_was_changed_is_found_out(
    tmp_path: Path, sqlite_url: str, open_store: OpenStore
) -> None:
    await fill(open_store, sqlite_url, 10)
    await seal(tmp_path, sqlite_url, "6", "one.jsonl")
    path = tmp_path / "one.jsonl"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    for spoiled, expected in (
        ([*lines[:2], *lines[3:]], [("removed", 3, 3)]),
        ([*lines[:4]], [("seal", 5, 5)]),
        ([*lines[:2], lines[2].replace("T01", "T02"), *lines[3:]], [("changed", 3, 3)]),
    ):
        path.write_text("".join(spoiled), "utf-8")
        ended = await verify(tmp_path, sqlite_url, "one.jsonl")
        assert ended.code == 1
        assert [one for one in expected if one in found(ended)] == expected, found(ended)
        assert "is not a file that was sealed, or was changed since" in ended.output
    for content, words in (
        ("".join(lines).replace('"T01"', '"T02"', 1), "line 1: Its fields are not those"),
        ("nonsense\n", "line 1: The line is no record"),
        ("", "is empty"),
    ):
        path.write_text(content, "utf-8")
        ended = await verify(tmp_path, sqlite_url, "one.jsonl")
        assert ended.code == 1
        assert words in ended.words


async def test_nothing_is_sealed_that_is_not_whole_or_not_told_or_not_there(
    tmp_path: Path, database_url: str, open_store: OpenStore
) -> None:
    await fill(open_store, database_url, 10)
    for before, words in (("1", "nothing to seal"), ("2020-01-01", "nothing to seal")):
        ended = await seal(tmp_path, database_url, before, "one.jsonl")
        assert (ended.code, words in ended.words) == (1, True), ended.words
    assert (await seal(tmp_path, database_url, "yesterday", "one.jsonl")).code == 2
    untold = environment(database_url) | {"AUDIT_CHANNEL": "C03AUDIT"}
    ended = await command(tmp_path, "audit", "seal", "--before", "5", "-o", "one.jsonl", **untold)
    assert (ended.code, "has not been told" in ended.words) == (1, True)
    (tmp_path / "one.jsonl").write_text("mine", "utf-8")
    ended = await seal(tmp_path, database_url, "5", "one.jsonl")
    assert (ended.code, "is there already" in ended.words) == (1, True)
    assert (tmp_path / "one.jsonl").read_text("utf-8") == "mine"
    as_owner(database_url, "UPDATE audit_records SET user_id = 'U02BOB' WHERE seq = 9")
    ended = await seal(tmp_path, database_url, "5", "two.jsonl")
    assert (ended.code, "is not whole" in ended.words) == (1, True)
    assert not (tmp_path / "two.jsonl").exists()


async def test_a_seal_made_beside_the_bot_opens_the_door_and_is_found_out(
    tmp_path: Path, database_url: str, open_store: OpenStore
) -> None:
    records = await fill(open_store, database_url, 10)
    engine = migrate.plain_engine(database_url)
    with engine.begin() as connection:
        made_up = {"last": 6, "first": 1, "hash": records[5].hash, "digest": "d" * 64}
        connection.execute(sa.text("INSERT INTO audit_seals VALUES (:last, :first, :hash, :digest)"), made_up)
        connection.execute(sa.text("DELETE FROM audit_records WHERE seq <= 6"))
    engine.dispose()
    ended = await verify(tmp_path, database_url)
    assert ended.code == 1
    assert found(ended) == [("seal", 1, 6)]
    assert "made beside the bot" in ended.output


def bytes_of(url: str) -> bytes:
    return Path(url.removeprefix("sqlite:///")).read_bytes()


async def test_what_was_sealed_is_not_in_the_sqlite_file_any_more(
    tmp_path: Path, sqlite_url: str, open_store: OpenStore
) -> None:
    store = open_store(sqlite_url)

    def work(tx: Any) -> None:
        for _ in range(50):
            tx.record(about(run(user_name="Somebody Forgettable"), Act.CANCEL_ASKED, instance=None))

    await store.write(work)
    await store.close()
    await seal(tmp_path, sqlite_url, "51", "one.jsonl")
    assert b"Somebody Forgettable" not in bytes_of(sqlite_url)
    assert (tmp_path / "one.jsonl").read_text("utf-8").count("Somebody Forgettable") == 100
