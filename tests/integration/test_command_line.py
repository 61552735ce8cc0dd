from __future__ import annotations

import json
import re
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from bot.cli import main
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.slack import ids
from bot.storage import migrate
from tests.integration.chain import act
from tests.integration.command_line import ROOT, Surroundings, command, furnish, start
from tests.integration.conftest import OpenStore
from tests.made_up import run

SCHEMA = ROOT.parent / "shared" / "facts" / "data" / "slack_manifest_schema.json"
SMALL = (
    "version: 1\nworkflows: { restart: { id: x, inputs: { env: {} } } }\nrules: [{ allow: ['*'], run: [restart] }]\n"
)


@pytest.fixture
async def around(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with LocalSlack() as slack, LocalDatadog() as datadog:
        found = furnish(slack, datadog, sqlite_url)
        (tmp_path / "workflows.yml").write_text(found.policy)
        yield found


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, each in group.commands.items():
        if isinstance(each, click.Group):
            yield from commands(each, (*path, name))
        else:
            yield (*path, name)


# -------------------------------------------------------------------------------------------------- every command's ways


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {' '.join(path)}".rstrip())
    assert len(result.output.splitlines()) > 4


@pytest.mark.parametrize(
    "wrong",
    [
        ["no-such"],
        ["runs", "list", "--state", "lost"],
        ["audit", "tail", "-n", "0"],
        ["manifest"],
        ["manifest", "--socket-mode", "--oauth"],
        ["manifest", "--socket-mode", "--url", "https://bot.example.com"],
        ["manifest", "--url", "http://bot.example.com"],
        ["manifest", "--url", "https://bot.example.com", "--command", "workflow"],
        ["db", "move", "--to", "mysql://db/bot"],
        ["db", "move", "--to", "sqlite://"],
        ["db", "move", "--to", "nonsense"],
    ],
)
def test_wrong_usage_exits_with_2(wrong: list[str]) -> None:
    assert CliRunner().invoke(main, wrong).exit_code == 2


@pytest.mark.parametrize("target", ["mysql://db/bot", "sqlite://", "nonsense"])
async def test_where_to_move_is_what_is_wrong_and_not_the_database_that_is_there(tmp_path: Path, target: str) -> None:
    ended = await command(tmp_path, "db", "move", "--to", target, DATABASE_URL="sqlite:///bot.db")
    assert (ended.code, "Error: --to" in ended.words, "DATABASE_URL" in ended.words) == (2, True, False), ended.words


async def test_a_wrong_setting_exits_with_1_and_a_sentence(tmp_path: Path) -> None:
    process = await start(tmp_path, "runs", "list", PORT="http")
    output, words = await process.communicate()
    assert (process.returncode, output) == (1, b"")
    assert words.startswith(b"PORT: ")
    assert b"Traceback" not in words


async def test_a_database_without_tables_exits_with_1(tmp_path: Path) -> None:
    ended = await command(tmp_path, "audit", "tail", DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
    assert ended.code == 1
    assert "The database is empty. Check DATABASE_URL; run: workflow-bot db upgrade" in ended.words
    assert not (tmp_path / "new.db").exists()  # asking makes nothing


# ---------------------------------------------------------------------------------------------------------- the database


async def test_db_upgrade_makes_the_tables(tmp_path: Path, empty_database_url: str) -> None:
    for _ in range(2):
        ended = await command(tmp_path, "db", "upgrade", DATABASE_URL=empty_database_url)
        assert (ended.code, ended.words) == (0, "The database is up to date.\n")
    current, newest = migrate.revisions(empty_database_url)
    assert current == newest


async def test_an_sqlite_database_is_its_owners_alone_wherever_it_is(tmp_path: Path) -> None:
    await command(tmp_path, "db", "upgrade", DATABASE_URL="sqlite:///own.db")
    assert stat.S_IMODE((tmp_path / "own.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("url", ["mysql://db/bot", "sqlite://", "nonsense", "postgresql://bot:hunter2@127.0.0.1:1/bot"])
async def test_a_database_that_cannot_be_used_is_said_so_without_its_password(tmp_path: Path, url: str) -> None:
    ended = await command(tmp_path, "db", "upgrade", DATABASE_URL=url)
    assert ended.code == 1
    assert "DATABASE_URL" in ended.words
    assert "hunter2" not in ended.words
    assert "Traceback" not in ended.words
    assert re.search(r"[^.] (Check|Use|Write) ", ended.words) is None, (
        ended.words
    )  # sentences end before the next begins


async def test_runs_and_the_trail_are_printed_for_people_and_for_scripts(
    tmp_path: Path, database_url: str, open_store: OpenStore
) -> None:
    store = open_store(database_url)

    def fill(tx: Any) -> None:
        tx.insert_run(
            run(secrets={"token": "f" * 16}, sealed="sealed-token", accepted_at=tx.now, cancel_asked_at=tx.now)
        )
        for number in range(3):
            tx.record(act(f"w{number}"))

    await store.write(fill)
    listed = await command(tmp_path, "runs", "list", "--format", "json", DATABASE_URL=database_url)
    (row,) = listed.rows
    assert (row["id"], row["state"], row["inputs"]) == ("R-0123456789", "ready", {"service": "web"})
    assert "sealed-token" not in listed.output
    # One form for every moment.
    assert [name for name, value in row.items() if name.endswith("_at") and value and "T" not in value] == []
    assert row["accepted_at"]
    assert row["cancel_asked_at"]
    assert "R-0123456789" in (await command(tmp_path, "runs", "list", DATABASE_URL=database_url)).output
    none = await command(tmp_path, "runs", "list", "--user", "U02BOB", DATABASE_URL=database_url)
    assert (none.code, none.output, none.words) == (0, "", "No runs yet.\n")

    tail = await command(tmp_path, "audit", "tail", "-n", "2", "--format", "json", DATABASE_URL=database_url)
    assert [row["workflow"] for row in tail.rows] == ["w1", "w2"]
    keyed = {"DATABASE_URL": database_url, "AUDIT_KEY": "audit key"}  # as the store of the tests has it
    exported = await command(tmp_path, "audit", "export", "--after", "1", **keyed)
    assert [row["seq"] for row in exported.rows] == [2, 3, 4]
    assert exported.rows[-1]["act"] == "trail exported"
    assert all(json.loads(row["canonical"])["seq"] == row["seq"] and len(row["hash"]) == 64 for row in exported.rows)
    to_file = await command(tmp_path, "audit", "export", "-o", "trail.jsonl", **keyed)
    assert (to_file.output, to_file.words) == ("", "5 record(s) exported.\n")
    assert len((tmp_path / "trail.jsonl").read_text().splitlines()) == 5


# ------------------------------------------------------------------------------------------------------------ the policy


async def test_policy_apply_reads_the_inputs_from_datadog(
    around: Surroundings, tmp_path: Path, open_store: OpenStore
) -> None:
    ended = await command(tmp_path, "policy", "apply", **around.environment)
    assert ended.code == 0, ended.words
    assert "as version 1: 5 workflow(s), 5 rule(s)." in ended.words
    store = open_store(around.environment["DATABASE_URL"])
    entry = await store.read(lambda tx: tx.entry("restart-service"))
    assert entry is not None
    assert [field.name for field in entry.inputs] == ["service", "env", "reason"]
    (record,) = await store.read(lambda tx: tx.last_records(5))
    assert json.loads(record.body)["act"] == "policy applied"


async def test_policy_apply_without_datadog_says_so_and_takes_the_file_as_it_is(
    tmp_path: Path, sqlite_url: str
) -> None:
    (tmp_path / "workflows.yml").write_text(SMALL)
    ended = await command(tmp_path, "policy", "apply", DATABASE_URL=sqlite_url)
    assert ended.code == 0, ended.words
    assert "taken as they are" in ended.words
    assert "as version 1: 1 workflow(s), 1 rule(s)." in ended.words


async def test_a_wrong_policy_changes_nothing(tmp_path: Path, sqlite_url: str, open_store: OpenStore) -> None:
    (tmp_path / "other.yml").write_text(SMALL.replace("rules", "rulez"))
    ended = await command(tmp_path, "policy", "apply", "other.yml", DATABASE_URL=sqlite_url)
    assert ended.code == 1
    assert ended.words == "other.yml:3: rulez: unknown field. Did you mean “rules”?\n"
    assert await open_store(sqlite_url).read(lambda tx: tx.policy_version()) == 0


async def test_policy_test_runs_the_files_own_examples(tmp_path: Path) -> None:
    path = tmp_path / "workflows.yml"
    path.write_text(SMALL + "tests: [{ who: U01ALICE, run: restart, expect: allow }]\n")
    assert (await command(tmp_path, "policy", "test")).words == "1 test(s) passed.\n"
    path.write_text(SMALL + "tests: [{ who: U01ALICE, run: restart, expect: deny }]\n")
    ended = await command(tmp_path, "policy", "test")
    assert ended.code == 1
    assert "workflows.yml:4: tests[1]: expected deny, the rules say allow" in ended.words


# ---------------------------------------------------------------------------------------------------------- the manifest


MODES = pytest.mark.parametrize(
    "arguments",
    [
        ["--url", "https://bot.example.com"],
        ["--url", "https://bot.example.com/slack/events/"],
        ["--url", "https://bot.example.com/slack/install", "--oauth"],
        ["--socket-mode"],
        ["--socket-mode", "--command", "/datadog"],
        ["--socket-mode", "--oauth", "--url", "https://bot.example.com/"],
    ],
    ids=" ".join,
)


@MODES
def test_a_manifest_is_what_the_code_listens_to(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, ["manifest", *arguments])
    assert result.exit_code == 0
    built = YAML(typ="safe").load(result.stdout)
    same = CliRunner().invoke(main, ["manifest", *arguments, "--format", "json"])
    assert json.loads(same.stdout) == built
    socket_mode = "--socket-mode" in arguments
    (slash,) = built["features"]["slash_commands"]
    assert slash["command"] == ("/datadog" if "/datadog" in arguments else ids.COMMAND)
    assert slash["should_escape"] is True
    assert built["settings"]["socket_mode_enabled"] is socket_mode
    urls = [
        slash.get("url"),
        *(built["settings"]["interactivity"].get(k) for k in ("request_url", "message_menu_options_url")),
    ]
    assert urls == [None if socket_mode else "https://bot.example.com/slack/events"] * 3
    assert slash["usage_hint"] == f"[{'|'.join(ids.Subcommand)}]"
    shortcuts = [each["callback_id"] for each in built["features"].get("shortcuts", [])]
    assert shortcuts == list(ids.Shortcut)
    redirects = ["https://bot.example.com/slack/oauth_redirect"] if "--oauth" in arguments else None
    assert built["oauth_config"].get("redirect_urls") == redirects


@MODES
def test_a_manifest_keeps_slacks_schema_in_every_mode(arguments: list[str]) -> None:
    if not SCHEMA.exists():
        pytest.skip("Slack's manifest schema is not on this machine")
    result = CliRunner().invoke(main, ["manifest", *arguments, "--format", "json"])
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(json.loads(result.stdout))


@pytest.mark.parametrize(("option", "value"), [("--url", "http://bot.example.com"), ("--command", "workflow")])
def test_a_manifest_that_slack_would_refuse_is_not_printed(option: str, value: str) -> None:
    result = CliRunner().invoke(main, ["manifest", "--url", "https://bot.example.com", option, value])
    assert (result.exit_code, result.stdout) == (2, "")
