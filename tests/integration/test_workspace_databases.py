"""A workspace's own database: its name, and that a connection never ends up in another one."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bot.connections import settings_of
from bot.domain.audit_keys import NO_KEY
from bot.domain.errors import NotRecorded, Refused
from bot.domain.installations import Installation
from bot.settings import read_settings
from bot.storage import engine, migrate
from bot.storage.engine import open_engines, workspace_url
from bot.storage.store import READERS, SqlStore
from bot.use_cases.note_installation import note_installation
from tests.house_rules.repository import text
from tests.integration.chain import KEY
from tests.integration.command_line import command
from tests.integration.conftest import OpenStore
from tests.integration.filled import contents, fill
from tests.made_up import ACME, NOON

PAGE = Path("docs/workspaces.md")


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("sqlite:///data/workflow-bot.db", "sqlite:///data/workflow-bot.T01ACME.db"),
        ("sqlite:////var/lib/bot", "sqlite:////var/lib/bot.T01ACME"),
        ("postgresql://bot:p%40ss@db/bot", "postgresql://bot:p%40ss@db/bot?options=-csearch_path%3Dworkspace_t01acme"),
    ],
)
def test_the_database_of_a_workspace_is_beside_the_main_one(url: str, own: str) -> None:
    assert workspace_url(url, "T01ACME") == own


@pytest.mark.parametrize("name", ["", "acme", "t01acme", "T01/../../etc", "T01 ACME", "T01ACME\n", 'T01";', "T" * 40])
def test_what_is_no_id_never_becomes_part_of_a_name(name: str) -> None:
    for url in ("sqlite:///data/bot.db", "postgresql://db/bot"):
        with pytest.raises(ValueError, match="is not the id"):
            workspace_url(url, name)


@pytest.mark.postgres
async def test_a_connection_that_lost_its_schema_on_the_way_does_nothing(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As through a pooler that ignores startup options: the main database's tables would be there instead."""
    own = workspace_url(postgres_url, "T01ACME")
    migrate.upgrade(own)
    arguments = engine.postgres_arguments

    def dropped(_: str) -> dict[str, Any]:
        return arguments("-c timezone=UTC")

    monkeypatch.setattr(engine, "postgres_arguments", dropped)
    store = SqlStore(*open_engines(own), NO_KEY)
    store.start()
    with pytest.raises(NotRecorded, match="search_path"):
        await store.read(lambda tx: tx.policy_version())
    with pytest.raises(NotRecorded, match="search_path"):
        await store.write(lambda tx: tx.policy_version())
    await store.close()
    with pytest.raises(NotRecorded, match="search_path"):
        migrate.upgrade(own)


@pytest.mark.postgres
async def test_a_workspace_takes_the_five_connections_that_the_page_tells_of(
    postgres_url: str, open_store: OpenStore
) -> None:
    own = workspace_url(postgres_url, "T01ACME")
    migrate.upgrade(own)
    store = open_store(own)
    await asyncio.gather(
        *(store.read(lambda tx: tx.connection.exec_driver_sql("SELECT pg_sleep(0.05)")) for _ in range(20)),
        *(store.write(lambda tx: tx.policy_version()) for _ in range(20)),
    )
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute(others).fetchone() == (5,)


def test_the_page_tells_of_as_many_connections_as_there_are_threads() -> None:
    told = re.findall(r"at most (\d+) for each workspace and replica \(1 that writes, (\d+) that read\)", text(PAGE))
    assert told == [(str(READERS + 1), str(READERS))]


async def test_what_is_written_for_one_is_in_no_other(database_url: str, open_store: OpenStore) -> None:
    urls = [database_url, *(workspace_url(database_url, name) for name in ("T01ACME", "T02BETA"))]
    for url in urls[1:]:
        migrate.upgrade(url)
    await note_installation(ACME, open_store(urls[1]))
    counts = [await open_store(url).read(lambda tx: len(tx.records(0, 10))) for url in urls]
    assert counts == [0, 1, 0]


async def test_the_database_of_another_workspace_is_recognised_and_left_alone(
    database_url: str, open_store: OpenStore
) -> None:
    """As when a backup was restored under the wrong name."""
    store = open_store(database_url)
    await note_installation(ACME, store)
    beta = Installation(**{**_fields(ACME), "id": "T02BETA", "team_id": "T02BETA"})
    with pytest.raises(Refused, match="holds what belongs to T01ACME"):
        await note_installation(beta, store)
    assert len(await store.read(lambda tx: tx.records(0, 10))) == 1


def _fields(installation: Installation) -> dict[str, Any]:
    return {name: getattr(installation, name) for name in Installation.__dataclass_fields__}


async def test_an_installation_is_told_once_and_an_older_one_never_after_a_newer(
    database_url: str, open_store: OpenStore
) -> None:
    store = open_store(database_url)
    removed = Installation(**{**_fields(ACME), "version": 2, "removed_at": NOON, "trouble": "uninstalled in Slack"})
    for one in (ACME, ACME, removed, ACME, removed):
        await note_installation(one, store)
    records = await store.read(lambda tx: tx.records(0, 10))
    assert [b'"workspace removed"' in record.body for record in records] == [False, True]
    with engine_of(database_url).connect() as connection:
        assert connection.execute(sa.text("SELECT token FROM installations")).scalar_one() == ""


def engine_of(url: str) -> sa.Engine:
    return migrate.plain_engine(url)


async def test_what_one_workspace_had_in_the_main_database_moves_beside_it(
    database_url: str, open_store: OpenStore, tmp_path: Path
) -> None:
    await asyncio.to_thread(fill, database_url)
    own = workspace_url(database_url, "T01ACME")
    ended = await command(tmp_path, "db", "move", "--to", own, DATABASE_URL=database_url, AUDIT_KEY=KEY.decode())
    assert ended.code == 0, ended.words
    assert contents(own) == contents(database_url)


def test_settings_of_a_workspace_name_its_own_people_places_and_witnesses(tmp_path: Path) -> None:
    given = {
        "SLACK_CLIENT_ID": "1.2",
        "SLACK_CLIENT_SECRET": "s",
        "DATABASE_URL": f"sqlite:///{tmp_path}/bot.db",
        "ADMINS": "T01ACME/U01ALICE T02BETA/U02BOB U03CARA",
        "AUDITORS": "T02BETA/U04DAN",
        "AUDIT_CHANNEL": "T02BETA/C02AUDIT T01ACME/C01AUDIT",
        "AUDIT_WITNESS_PATH": "/mnt/heads.jsonl",
        "AUDIT_WITNESS_URL": "https://example.com/hook?token=x",
        "AUDIT_SIGNING_KEY": "k",
    }
    own = settings_of(read_settings(given), "T01ACME", "xoxb-acme")
    assert (own.admins, own.auditors, own.audit_channel) == (("U01ALICE",), (), "C01AUDIT")
    assert own.audit_witness_path == "/mnt/heads.T01ACME.jsonl"
    assert own.audit_witness_url.get_secret_value() == "https://example.com/hook?token=x&workspace=T01ACME"
    assert own.slack_bot_token.get_secret_value() == "xoxb-acme"
    assert not own.oauth
