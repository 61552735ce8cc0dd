"""A malformed policy through the command line: a clear error, exit code 1, and a database as it was."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from tests.integration.command_line import command
from tests.malformed_policies import BY_HAND, malformed

SAMPLE = dict(list(malformed())[len(BY_HAND) :: 9]) | {
    name: text for name, text in malformed() if name in list(BY_HAND)[::2]
}
GOOD = "version: 1\nworkflows: { w: { id: a } }\nrules: [{ allow: ['*'], run: [w] }]\n"


def _rows(url: str) -> list[str]:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        return list(connection.iterdump())


async def test_every_malformed_file_leaves_the_database_as_it_was(tmp_path: Path, sqlite_url: str) -> None:
    path = tmp_path / "workflows.yml"
    path.write_text(GOOD)
    assert (await command(tmp_path, "policy", "apply", "workflows.yml", DATABASE_URL=sqlite_url)).code == 0
    before = _rows(sqlite_url)
    assert len(SAMPLE) > 80
    for name, data in SAMPLE.items():
        path.write_bytes(data)
        ended = await command(tmp_path, "policy", "apply", "workflows.yml", DATABASE_URL=sqlite_url)
        assert (ended.code, ended.output) == (1, ""), name
        assert re.match(r"workflows\.yml:[1-9][0-9]*: ", ended.words), (name, ended.words)
        assert "Traceback" not in ended.words, name
    assert _rows(sqlite_url) == before


@pytest.mark.parametrize("what", [("plan",), ("test",), ("apply",)])
async def test_every_command_on_the_file_refuses_it_alike(
    tmp_path: Path, sqlite_url: str, what: tuple[str, ...]
) -> None:
    (tmp_path / "workflows.yml").write_text(GOOD.replace("rules", "rulez"))
    ended = await command(tmp_path, "policy", *what, "workflows.yml", DATABASE_URL=sqlite_url)
    assert (ended.code, ended.output) == (1, "")
    assert ended.words == "workflows.yml:3: rulez: unknown field. Did you mean “rules”?\n"
