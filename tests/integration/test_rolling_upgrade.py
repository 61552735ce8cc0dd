"""The code from before each migration goes on serving while, and after, the schema is brought up to date under it.

The older code is the real one, out of the repository's history, in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.runs import State
from bot.sandbox import demo
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.storage import migrate
from tests.integration.chain import whole_chain
from tests.integration.command_line import ROOT, Surroundings, bare_environment, furnish
from tests.integration.conftest import OpenStore

pytestmark = pytest.mark.slow

# A deploy is from one version to the next; a version may bring several of these.
LATEST = 3
MIGRATIONS = sorted(path.name for path in (ROOT / "migrations/versions").glob("[0-9]*.py"))

# What every version understands.
POLICY = """\
version: 1
workflows: {{ collect-diagnostics: {{ id: {collect} }} }}
rules: [{{ allow: [U02BOB], run: [collect-diagnostics] }}]
"""


def git(*arguments: str) -> bytes:
    """What git says. Skips the test where it can't say it."""
    command = ["git", "-c", "safe.directory=*", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(
            f"the history is not here (a shallow clone?): git {arguments[0]} says {done.stderr.decode().strip()}"
        )
    return done.stdout


def code_before(migration: str, folder: Path) -> Path:
    """The code of the commit before the one that brought the migration; the last commit's, where it isn't committed yet."""
    brought = git("log", "--diff-filter=A", "--format=%H", "--", f"migrations/versions/{migration}").decode().split()
    commit = f"{brought[-1]}^" if brought else "HEAD"
    with tarfile.open(fileobj=io.BytesIO(git("archive", commit, "bot", "migrations", "manifest.yml"))) as archive:
        archive.extractall(folder, filter="data")
    return folder


@contextlib.asynccontextmanager
async def serving(code: Path, around: Surroundings, *arguments: str) -> AsyncIterator[None]:
    """`serve` of that code, ready, and where Slack sends its requests."""
    environment = bare_environment(code, around.environment) | {"PYTHONPATH": str(code), "PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "serve", *arguments, cwd=code, env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    said = b""
    try:
        async with asyncio.timeout(60):
            while not (ready := re.search(rb"health on (http\S+)/healthz", said)):
                line = await process.stderr.readline()
                assert line, said.decode()
                said += line
        around.slack.bot_url = ready[1].decode() + "/slack/events"
        rest = asyncio.create_task(process.stderr.read())
        yield
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0, (said + await rest).decode()
        assert b"Traceback" not in said + await rest
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run_one(around: Surroundings) -> None:
    """Bob runs a workflow, and is told in the channel how it ended."""
    told = {message["ts"] for message in around.slack.messages(demo.GENERAL)}
    await around.slack.person(demo.BOB).command(demo.GENERAL, "/workflow run collect-diagnostics")
    await around.slack.person(demo.BOB).wait_for_message(
        # Not the word in the thread: that of the run before may come only now.
        demo.GENERAL,
        lambda m: m["ts"] not in told and not m["thread_ts"] and "succeeded" in str(m).lower(),
        timeout=30,
    )


@pytest.mark.parametrize("migration", MIGRATIONS[1:][-LATEST:])
async def test_older_code_serves_on_while_the_schema_changes_under_it(
    migration: str, empty_database_url: str, tmp_path: Path, open_store: OpenStore
) -> None:
    older = code_before(migration, tmp_path / "older")
    async with LocalSlack() as slack, LocalDatadog() as datadog:
        around = furnish(slack, datadog, empty_database_url)
        around.environment["AUDIT_KEY"] = "audit key"
        collect = datadog.add_workflow(name="Collect diagnostics", step_seconds=0.1)
        (older / "workflows.yml").write_text(POLICY.format(collect=collect))
        environment = bare_environment(older, around.environment) | {"PYTHONPATH": str(older)}
        for words in (("db", "upgrade"), ("policy", "apply")):
            command = [sys.executable, "-m", "bot", *words]
            await asyncio.to_thread(subprocess.run, command, cwd=older, env=environment, check=True)
        before = migrate.revisions(empty_database_url)[0]
        assert before is not None
        assert before < migration[:4]
        async with serving(older, around):
            await run_one(around)
            await asyncio.to_thread(migrate.upgrade, empty_database_url)
            await run_one(around)
            if empty_database_url.startswith("postgresql"):
                async with serving(ROOT, around):  # the first of the new ones, beside it
                    await run_one(around)
        async with serving(older, around, "--no-migrate"):  # it is restarted, or brought back
            await run_one(around)
        async with serving(ROOT, around):
            await run_one(around)
        assert len(datadog.executions) == (5 if empty_database_url.startswith("postgresql") else 4)
        store = open_store(empty_database_url)
        assert {run.state for run in await store.read(lambda tx: tx.runs(100))} == {State.SUCCEEDED}
        assert len(await whole_chain(store)) > 4
        assert not slack.violations


async def test_a_bot_comes_up_on_a_schema_that_a_newer_one_has_made(database_url: str, tmp_path: Path) -> None:
    engine = migrate.plain_engine(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    async with LocalSlack() as slack, LocalDatadog() as datadog:
        around = furnish(slack, datadog, database_url)
        async with serving(ROOT, around):
            assert migrate.revisions(database_url)[0] == "9999"
