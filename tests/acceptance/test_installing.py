"""Installing through OAuth: only the browser that began may finish, once, in time, and with all that the bot needs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlackApp
from tests.acceptance.many import ACME, ALICE, BETA, Many, furnish, open_many


@pytest.fixture
async def app() -> AsyncIterator[LocalSlackApp]:
    async with LocalSlackApp() as app:
        furnish(app.add_workspace(ACME, "Acme"))
        furnish(app.add_workspace(BETA, "Beta"))
        yield app


@pytest.fixture
async def many(app: LocalSlackApp, datadog: LocalDatadog, database_url: str) -> AsyncIterator[Many]:
    async with open_many(app, datadog, database_url, WORKSPACES=f"{ACME} E01GRID") as many:
        yield many


async def test_a_workspace_is_installed_by_one_replica_and_served_by_another_at_once(many: Many) -> None:
    status, page = await many.install(ACME, ALICE, finish_at=1)
    assert status == 200
    assert "Installed in Acme" in page
    many.turn_to(0)
    ack = await many.acme.person(ALICE).command("C01OPS", "/workflow help")
    assert ack.status == 200
    (record,) = await many.records(ACME)
    assert (record["act"], record["actor"]["user"], record["workspace"]) == ("workspace installed", ALICE, ACME)
