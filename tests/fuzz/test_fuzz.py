"""A small part of `make fuzz`, with a fixed seed: what is malformed brings nothing down and nothing out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import SqliteFolder
from tests.fuzz.session import Session, run_session

MUCH = 40_000  # kB that the memory of a bot may grow by after it is warm; a leak of 1 kB a request would show in `make fuzz`


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # Hypothesis describes each strategy
async def test_what_is_malformed_brings_nothing_down_and_nothing_out(
    database_url: str, sqlite_folder: SqliteFolder, tmp_path: Path
) -> None:
    session = Session(
        database_url, sqlite_folder.migrated(), tmp_path, requests=600, payloads=600, seed=1, progress=lambda *_: None
    )

    await run_session(session)

    assert {"/slack/events", "/healthz", "/readyz", "/metrics", "/slack/install"} <= session.routes
    assert session.kinds >= 5
    for name, fallen in session.fallen.items():
        assert fallen.after - fallen.warm < MUCH, name
