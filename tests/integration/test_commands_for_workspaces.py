"""The command line where many workspaces are served: which one a command is about, and what is for all of them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from bot.connections import settings_of
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlackApp
from bot.settings import read_settings
from bot.storage import migrate
from bot.storage.engine import workspace_url
from tests.acceptance.many import ACME, ALICE, BETA, OPS, Many, browser, contents, furnish, open_many
from tests.acceptance.scene import until
from tests.databases import DatabaseServer
from tests.integration.command_line import command
from tests.integration.test_roles import as_role

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def is_there(file: Path) -> bool:
    return file.exists()


@pytest.fixture
async def app() -> AsyncIterator[LocalSlackApp]:
    async with LocalSlackApp() as app:
        for workspace_id, name in ((ACME, "Acme"), (BETA, "Beta")):
            furnish(app.add_workspace(workspace_id, name))
        yield app


@pytest.fixture
async def stopped(app: LocalSlackApp, database_url: str) -> AsyncIterator[Many]:
    """Both are installed, and nothing serves any more."""
    async with LocalDatadog() as datadog:
        async with open_many(app, datadog, database_url, replicas=1) as many:
            for workspace_id in (ACME, BETA):
                assert (await many.install(workspace_id))[0] == 200
        yield many


@ONE_DATABASE
async def test_the_only_installed_one_need_not_be_named_and_several_must_be(stopped: Many, tmp_path: Path) -> None:
    many = stopped
    for arguments, workspace in ((("--workspace", BETA), ""), ((), BETA)):
        ended = await command(tmp_path, *arguments, "audit", "tail", "--format", "json", **many.as_in(workspace))
        assert [row["workspace"] for row in ended.rows] == [BETA]
    several = await command(tmp_path, "runs", "list", **many.as_in(""))
    assert (several.code, f"{ACME} (Acme), {BETA} (Beta)" in " ".join(several.words.split())) == (2, True)
    unknown = await command(tmp_path, "--workspace", "T77NONE", "runs", "list", **many.as_in(""))
    assert (unknown.code, "T77NONE has not installed the bot." in " ".join(unknown.words.split())) == (2, True)
    for wrong in ("acme", "../x", "t01acme", "C01OPS", "T01;DROP"):
        refused = await command(tmp_path, "--workspace", wrong, "runs", "list", **many.as_in(""))
        assert (refused.code, "named by its id" in " ".join(refused.words.split())) == (2, True)
    elsewhere = await command(tmp_path, "runs", "list", **many.as_in("/var/lib/jenkins/workspace/job"))
    assert (elsewhere.code, "Name the workspace" in " ".join(elsewhere.words.split())) == (2, True)
    assert (await command(tmp_path, "workspaces", "remove", BETA, **many.as_in(""))).code == 0
    only = await command(tmp_path, "audit", "tail", "--format", "json", **many.as_in(""))
    assert [row["workspace"] for row in only.rows] == [ACME]


@ONE_DATABASE
async def test_a_command_for_one_without_a_database_says_so_and_makes_none(
    stopped: Many, tmp_path: Path, database_url: str
) -> None:
    file = Path(workspace_url(database_url, ACME).removeprefix("sqlite:///"))
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()
    for arguments in (("runs", "list"), ("audit", "tail"), ("policy", "plan")):
        ended = await command(tmp_path, "--workspace", ACME, *arguments, **stopped.as_in(""))
        assert (ended.code, ended.output) == (1, "")
        assert f"{ACME} has no database yet. As the owner of the database, run: workflow-bot db upgrade" in ended.words
    assert not is_there(file)


@ONE_DATABASE
async def test_no_workspace_is_named_where_one_is_served(database_url: str, tmp_path: Path) -> None:
    ended = await command(tmp_path, "--workspace", ACME, "runs", "list", DATABASE_URL=database_url)
    assert (ended.code, "leave --workspace and WORKSPACE out" in " ".join(ended.words.split())) == (2, True)
    assert not is_there(Path(workspace_url(database_url, ACME).removeprefix("sqlite:///")))


@ONE_DATABASE
async def test_with_nobody_installed_a_command_says_where_to_begin(
    app: LocalSlackApp, database_url: str, tmp_path: Path
) -> None:
    environment = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s", "DATABASE_URL": database_url}
    ended = await command(tmp_path, "runs", "list", **environment)
    assert (ended.code, "Open /slack/install" in " ".join(ended.words.split())) == (2, True)
    listed = await command(tmp_path, "workspaces", "list", **environment)
    assert (listed.code, "Nobody has installed the bot yet." in listed.words) == (0, True)


async def test_an_upgrade_is_for_the_main_database_and_all_others(
    stopped: Many, tmp_path: Path, database_url: str
) -> None:
    for workspace_id in (ACME, BETA):
        migrate.downgrade(workspace_url(database_url, workspace_id), "0006")
    ended = await command(tmp_path, "db", "upgrade", **stopped.as_in(""))
    assert "The main database and 2 more are up to date." in ended.words
    assert all(migrate.is_current(migrate.revision_at(workspace_url(database_url, name))) for name in (ACME, BETA))


@ONE_DATABASE
async def test_a_backup_has_a_file_for_each(stopped: Many, tmp_path: Path) -> None:
    ended = await command(tmp_path, "db", "backup", str(tmp_path / "copy.db"), **stopped.as_in(""))
    assert ended.code == 0, ended.words
    assert files(tmp_path) == {"copy.db", f"copy.{ACME}.db", f"copy.{BETA}.db"}
    # The copies fit together: a bot that is pointed at the main one finds the others.
    copied = stopped.as_in(ACME) | {"DATABASE_URL": f"sqlite:///{tmp_path}/copy.db"}
    assert (await command(tmp_path, "audit", "verify", **copied)).code == 0
    (tmp_path / f"again.{BETA}.db").touch()
    refused = await command(tmp_path, "db", "backup", str(tmp_path / "again.db"), **stopped.as_in(""))
    assert (refused.code, f"again.{BETA}.db is there already" in refused.words) == (1, True)
    assert not files(tmp_path) & {"again.db", f"again.{ACME}.db"}  # all of them or none
    one = await command(tmp_path, "--workspace", ACME, "db", "backup", str(tmp_path / "acme.db"), **stopped.as_in(""))
    assert (one.code, "acme.db" in files(tmp_path)) == (0, True)


@pytest.mark.postgres
@ONE_DATABASE
async def test_all_of_them_move_to_postgres(
    stopped: Many, tmp_path: Path, database_url: str, postgres_server: DatabaseServer
) -> None:
    target = postgres_server.empty()
    ended = await command(tmp_path, "db", "move", "--to", target, **stopped.as_in(""))
    assert ended.code == 0, ended.words
    for url in (lambda url: url, lambda url: workspace_url(url, ACME), lambda url: workspace_url(url, BETA)):
        moved, there = (sorted(contents(url(each)).splitlines()) for each in (target, database_url))
        assert moved == there
    verified = await command(tmp_path, "audit", "verify", **stopped.as_in(BETA) | {"DATABASE_URL": target})
    assert verified.code == 0, verified.words
    postgres_server.drop(target)


@pytest.mark.postgres
@ONE_DATABASE
async def test_nothing_is_moved_where_one_of_them_can_not_be(
    stopped: Many, tmp_path: Path, owned: str, role: str
) -> None:
    with psycopg.connect(owned) as connection:
        connection.execute("DROP SCHEMA public CASCADE")  # an empty database, with one schema of somebody else's
        connection.execute("CREATE SCHEMA public")
        connection.execute(f"CREATE SCHEMA workspace_{BETA.lower()}")
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        database = connection.info.dbname
        for right in (f"CREATE ON DATABASE {database}", "ALL ON SCHEMA public"):
            connection.execute(sql.SQL(f"GRANT {right} TO {{}}").format(sql.Identifier(role)))
    ended = await command(tmp_path, "db", "move", "--to", as_role(owned, role), **stopped.as_in(""))
    assert (ended.code, ended.words.startswith(f"{BETA}: The schema workspace_t02beta there belongs to")) == (1, True)
    with psycopg.connect(owned) as connection:
        connection.execute(f"CREATE TABLE workspace_{BETA.lower()}.somebody_elses (id integer)")
    ended = await command(tmp_path, "db", "move", "--to", owned, **stopped.as_in(""))
    assert (ended.code, ended.words.startswith(f"{BETA}: The database to move to is not empty")) == (1, True)
    assert not migrate.is_there(workspace_url(owned, ACME))
    with psycopg.connect(owned) as connection:
        connection.execute(f"DROP SCHEMA workspace_{BETA.lower()} CASCADE")
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))


@pytest.mark.postgres
@ONE_DATABASE
async def test_a_move_that_stops_half_way_says_what_is_there_and_how_to_clear_it(
    stopped: Many, tmp_path: Path, database_url: str, postgres_server: DatabaseServer
) -> None:
    target = postgres_server.empty()
    file = workspace_url(database_url, BETA).removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as connection:  # found out only when it is read
        connection.execute("UPDATE audit_head SET hash = x'00'")
        connection.commit()
    ended = await command(tmp_path, "db", "move", "--to", target, **stopped.as_in(""))
    assert ended.code == 1
    assert f"{ACME}: Moved " in ended.words
    assert f"{BETA}: The audit trail is not one chain" in ended.words
    assert "take them away there: DROP SCHEMA workspace_t01acme CASCADE" in ended.words
    postgres_server.drop(target)


@pytest.mark.postgres
async def test_where_the_bot_may_make_no_schema_the_installation_waits_for_the_owner_to_do_it(
    app: LocalSlackApp, owned: str, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.use_cases.pace.REOPEN", 0.1)
    monkeypatch.setattr("bot.use_cases.pace.INSTALLATIONS", 0.05)
    made = await command(tmp_path, "db", "role", role, DATABASE_URL=owned)
    assert made.code == 0, made.words
    async with LocalDatadog() as datadog, open_many(app, datadog, as_role(owned, role), replicas=1) as many:
        status, page = await many.install(ACME)
        assert (status, "It can’t be used yet" in page, "workflow-bot db upgrade" in page) == (200, True, True)
        ack = await many.acme.person(ALICE).command(OPS, "/workflow help")
        assert "not ready for this workspace yet" in ack.body
        async with browser() as session:
            for _ in range(20):  # also while it is being tried again
                async with session.get(f"{many.replicas[0].url}/readyz") as answer:
                    assert (answer.status, "can't be served" in (await answer.json())["attention"]) == (200, True)
                await asyncio.sleep(0.02)
        doctor = await command(tmp_path, "doctor", "database", "slack", **many.as_in(""))
        assert "its owner has to run" in " ".join(doctor.output.split())
        as_owner = many.as_in("") | {"DATABASE_URL": owned}
        upgraded = await command(tmp_path, "db", "upgrade", **as_owner)
        assert upgraded.code == 0, upgraded.words

        async def served() -> bool:
            return ACME in many.replicas[0].bot.served.open()

        await until(served)
        ack = await many.acme.person(ALICE).command(OPS, "/workflow help")
        assert "not ready" not in ack.body
        own = settings_of(read_settings(many.as_in("")), ACME, "").database_url.get_secret_value()
        engine = migrate.plain_engine(own)
        with engine.connect() as connection, pytest.raises(Exception, match="permission denied"):
            connection.exec_driver_sql("DELETE FROM audit_records")
        engine.dispose()
