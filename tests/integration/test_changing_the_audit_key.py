"""The key of the audit chain is changed: what is recorded goes on with the new one, and an old one forges nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.domain.audit_keys import OLDER, UNKNOWN, mark, read_keys
from bot.domain.errors import NotRecorded
from bot.storage import migrate
from bot.storage.engine import open_engines
from bot.storage.store import SqlStore
from tests.databases import SqliteFolder
from tests.integration.audit_trail import as_owner, check
from tests.integration.chain import act
from tests.integration.command_line import Ended, command

OLD, NEW, BOTH = "the old key", "the new key", "the new key,the old key"


async def record(url: str, key: str, count: int = 3) -> None:
    """As a bot with this AUDIT_KEY."""
    store = SqlStore(*open_engines(url), read_keys(key))
    store.start()
    try:
        for number in range(count):
            await store.write(lambda tx, number=number: tx.record(act(f"w{number}")))  # type: ignore[misc]  # a lambda's default
    finally:
        await store.close()


async def verify(tmp_path: Path, url: str, key: str, *options: str) -> Ended:
    return await command(tmp_path, "audit", "verify", *options, DATABASE_URL=url, AUDIT_KEY=key)


def forge(url: str, key: str) -> None:
    """A record behind the end, as the owner of the database would add it who has this key, and takes away what hinders."""
    as_owner(url, f"UPDATE audit_head SET key_marks = '{mark(key.encode())}'")
    asyncio.run(record(url, key, 1))


async def test_a_trail_goes_on_with_a_new_key_and_is_verified_with_both(tmp_path: Path, database_url: str) -> None:
    await record(database_url, OLD)
    await record(database_url, BOTH)
    ended = await verify(tmp_path, database_url, BOTH)
    assert (ended.code, ended.output) == (0, "")
    assert "The newest AUDIT_KEY has been in use since record 4." in ended.words
    scripted = await verify(tmp_path, database_url, BOTH, "--format", "json")
    assert (scripted.code, scripted.rows[-1]["key_since"]) == (0, 4)


async def test_before_the_first_record_with_the_new_key_verifying_says_so(tmp_path: Path, database_url: str) -> None:
    await record(database_url, OLD)
    ended = await verify(tmp_path, database_url, BOTH, "--format", "json")
    assert (ended.code, ended.rows[-1]["key_since"]) == (0, None)
    migrated = await verify(tmp_path, database_url, f"yet another,{BOTH}")
    assert (migrated.code, "No record was made with the newest AUDIT_KEY." in migrated.words) == (0, True)


async def test_a_key_that_verifying_lacks_is_asked_for(tmp_path: Path, sqlite_url: str) -> None:
    await record(sqlite_url, OLD)
    await record(sqlite_url, BOTH)
    ended = await verify(tmp_path, sqlite_url, NEW)
    assert ended.code == 1
    assert "record 4 goes on behind: add the key that was there before it (AUDIT_KEY=new,old)" in ended.output
    older = await verify(tmp_path, sqlite_url, OLD)
    assert older.code == 1
    assert "does AUDIT_KEY lack a newer one?" in older.output
    assert "could not be recorded" in older.words  # nor is anything recorded with it


@pytest.mark.parametrize(("key", "words"), [(OLD, OLDER), (f"{OLD},{NEW}", OLDER), ("another", UNKNOWN), ("", UNKNOWN)])
async def test_a_bot_that_has_not_got_the_new_key_yet_records_nothing(
    database_url: str, tmp_path: Path, key: str, words: str
) -> None:
    await record(database_url, OLD)
    await record(database_url, BOTH)
    with pytest.raises(NotRecorded) as refused:
        await record(database_url, key, 1)
    assert str(refused.value) == words
    await record(database_url, NEW)  # which needs the old one for verifying only
    assert (await verify(tmp_path, database_url, BOTH)).code == 0


async def test_a_tail_that_the_owner_of_the_database_forges_with_the_old_key_is_found(
    tmp_path: Path, database_url: str
) -> None:
    await record(database_url, OLD)
    await record(database_url, BOTH)
    await asyncio.to_thread(forge, database_url, OLD)
    ended = await verify(tmp_path, database_url, BOTH, "--format", "json")
    found = [(row["break"], row["from"], row["until"]) for row in ended.rows[:-1] if row["break"] != "guard"]
    assert (ended.code, found) == (1, [("re-chained without the key", 7, 7)])
    assert "fits an older key, and record 4 was made with a newer one" in ended.output


async def test_a_trail_that_began_without_a_key_is_given_one(tmp_path: Path, database_url: str) -> None:
    await record(database_url, "")
    with pytest.raises(NotRecorded, match="AUDIT_KEY=new,none where there was none"):
        await record(database_url, NEW)
    await record(database_url, f"{NEW},none")
    assert (await verify(tmp_path, database_url, f"{NEW},none")).code == 0
    without = await verify(tmp_path, database_url, NEW)
    assert without.code == 1
    assert "Or did the trail begin without a key (AUDIT_KEY=new,none)?" in without.output


async def test_a_trail_of_a_version_that_kept_no_marks_goes_on_with_its_own_key_only(
    empty_database_url: str, tmp_path: Path
) -> None:
    url = empty_database_url
    migrate.upgrade(url)
    await record(url, OLD)
    migrate.downgrade(url, "0008")
    migrate.upgrade(url)
    with pytest.raises(NotRecorded, match="doesn't hold the key that the audit trail was made with last"):
        await record(url, NEW)
    await record(url, BOTH)
    with pytest.raises(NotRecorded, match="an older one"):
        await record(url, OLD)
    assert (await verify(tmp_path, url, BOTH)).code == 0


async def test_a_third_party_verifies_an_export_with_the_keys_in_order(tmp_path: Path, database_url: str) -> None:
    await record(database_url, "")
    await record(database_url, f"{OLD},none")
    await record(database_url, BOTH)
    keys = f"{BOTH},none"
    exported = await command(tmp_path, "audit", "export", DATABASE_URL=database_url, AUDIT_KEY=keys)
    code, said = check(exported.output, keys.encode())
    assert (code, said.startswith("ok, the head is 10 ")) == (0, True), said
    for lacking in (BOTH, NEW, OLD, f"{OLD},{NEW},none", ""):
        assert check(exported.output, lacking.encode())[0] == 1
    await asyncio.to_thread(forge, database_url, OLD)
    forged = await command(tmp_path, "audit", "export", DATABASE_URL=database_url, AUDIT_KEY=keys)
    code, said = check(forged.output, keys.encode())
    assert (code, said.splitlines()[0]) == (1, "record 11 has a hash that is not its own")


async def test_what_was_made_with_the_old_key_is_sealed_and_the_key_put_away(tmp_path: Path, database_url: str) -> None:
    await record(database_url, OLD)
    await record(database_url, BOTH)
    options = ("audit", "seal", "--before", "4", "--output", "old.jsonl")
    sealed = await command(tmp_path, *options, DATABASE_URL=database_url, AUDIT_KEY=BOTH)
    assert sealed.code == 0, sealed.words
    assert (await verify(tmp_path, database_url, NEW)).code == 0
    assert (await verify(tmp_path, database_url, BOTH, "--sealed", "old.jsonl")).code == 0
    assert (await verify(tmp_path, database_url, NEW, "--sealed", "old.jsonl")).code == 1


async def test_a_database_is_moved_with_both_keys_and_remembers_them(
    tmp_path: Path, sqlite_url: str, sqlite_folder: SqliteFolder
) -> None:
    await record(sqlite_url, OLD)
    await record(sqlite_url, BOTH)
    there = sqlite_folder.empty()
    options = ("db", "move", "--to", there)
    refused = await command(tmp_path, *options, DATABASE_URL=sqlite_url, AUDIT_KEY=NEW)
    assert refused.code == 1
    assert "AUDIT_KEY=new,old" in refused.words
    assert (await command(tmp_path, *options, DATABASE_URL=sqlite_url, AUDIT_KEY=BOTH)).code == 0
    with pytest.raises(NotRecorded, match="an older one"):
        await record(there, OLD)
    assert (await verify(tmp_path, there, BOTH)).code == 0


@pytest.mark.parametrize("key", ["new,", ",old", "new,,old", "new,new", "new,none,old"])
async def test_keys_that_are_empty_or_stand_twice_are_wrong(tmp_path: Path, sqlite_url: str, key: str) -> None:
    ended = await verify(tmp_path, sqlite_url, key)
    assert ended.code != 0
    assert "AUDIT_KEY: several keys stand in it with a comma between, newest first" in ended.words


async def test_none_alone_is_no_key(tmp_path: Path, sqlite_url: str) -> None:
    ended = await verify(tmp_path, sqlite_url, "none")
    assert ended.code != 0
    assert "For a trail without a key don't set it." in ended.words
