"""What an operator sees of a bot that serves many workspaces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlackApp
from bot.storage.sealing import FernetSealer
from bot.use_cases.refresh_token import TOKEN
from tests.acceptance.many import ACME, ALICE, BETA, Many, furnish, open_many
from tests.acceptance.scene import until
from tests.acceptance.scrapes import scrape, seen, values


@pytest.fixture
async def many(datadog: LocalDatadog, database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Many]:
    monkeypatch.setattr("bot.use_cases.pace.SAMPLES", 0.05)
    monkeypatch.setattr("bot.use_cases.pace.INSTALLATIONS", 0.1)
    async with LocalSlackApp() as app:
        for team, name in ((ACME, "Acme"), (BETA, "Beta")):
            furnish(app.add_workspace(team, name))
        async with open_many(app, datadog, database_url, replicas=1) as many:
            yield many


async def test_each_workspace_has_a_trail_of_its_own_and_all_else_is_the_sum(many: Many) -> None:
    url = many.replicas[0].url
    await many.install(ACME)
    await many.install(BETA)
    found = await seen(url, f"audit_head workspace={ACME}", f"audit_head workspace={BETA}")
    assert (found["workspaces"], found["loops loop=run worker"], found["database_up"]) == (2, 2, 1)

    for slack in (many.acme, many.beta):
        await slack.person(ALICE).command("C01OPS", "/workflow run nothing")
    found = await seen(url, "decisions_total decision=deny reason=not in the catalogue")
    assert found["decisions_total decision=deny reason=not in the catalogue"] == 2

    await many.app.uninstall(many.beta)

    async def forgotten() -> bool:
        left = values(await scrape(url))
        return left["workspaces"] == 1 and f"audit_head workspace={BETA}" not in left

    await until(forgotten)


async def test_a_workspace_that_can_not_be_served_is_counted_until_it_can(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.use_cases.pace.REOPEN", 0.1)
    url, store = many.replicas[0].url, many.replicas[0].bot.store
    await many.install(ACME)
    await many.install(BETA)
    known = await many.installation(BETA)
    lost = FernetSealer(["a key that nobody has"]).seal({TOKEN: "xoxb-lost"})
    assert await store.write(lambda tx: tx.reseal_installation(known, lost, ""))

    async def counted(unserved: int) -> bool:
        found = values(await scrape(url))
        return (found["workspaces"], found["workspaces_unserved"]) == (2 - unserved, unserved)

    await until(lambda: counted(1))
    assert "not ready for this workspace" in (await many.beta.person(ALICE).command("C01OPS", "/workflow help")).body
    assert "not ready" not in (await many.acme.person(ALICE).command("C01OPS", "/workflow help")).body
    await many.install(BETA)
    await until(lambda: counted(0))


async def test_a_token_that_is_not_exchanged_before_its_end_is_counted_until_it_is(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.use_cases.refresh_token.CLAIM", timedelta(seconds=0.1))
    many.app.rotates = True
    await many.install(ACME)
    await many.install(BETA)

    async def counted(unrefreshed: int) -> bool:
        found = values(await scrape(many.replicas[0].url))
        return (found["workspaces"], found["workspaces_unrefreshed"]) == (2, unrefreshed)

    await until(lambda: counted(0))
    many.app.client_secret, secret = "another", many.app.client_secret  # as after one that was made anew
    monkeypatch.setattr("bot.domain.installations.REFRESH_BEFORE", timedelta(hours=13))
    await until(lambda: counted(2))
    many.app.client_secret = secret
    await until(lambda: counted(0))
