"""Trails for tests of the command line: filled, tampered with as the owner can, and checked as a third party does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.storage import migrate
from bot.storage.guards import _POSTGRES, _SQLITE
from tests.house_rules.repository import text
from tests.integration.chain import KEY, act
from tests.integration.conftest import OpenStore


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
