"""Many workspaces, where something is broken or away: nothing is forgotten, and nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot import opening
from bot.domain.audit_keys import UNKNOWN
from bot.domain.errors import NotRecorded
from bot.install_pages import AT_ONCE
from bot.opening import NOT_SERVED
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlackApp
from bot.slack.ids import Action
from bot.storage.installations import InstallationRows
from tests.acceptance.many import ACME, ALICE, BETA, Many, browser, open_many
from tests.acceptance.scene import ONE_DATABASE, until
from tests.integration.command_line import command

pytestmark = ONE_DATABASE
KEY = {"ENCRYPTION_KEY": "a-key"}


@pytest.fixture
async def many(
    app: LocalSlackApp, datadog: LocalDatadog, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Many]:
    monkeypatch.setattr("bot.use_cases.pace.INSTALLATIONS", 0.05)
    monkeypatch.setattr("bot.use_cases.pace.REOPEN", 0.1)
    async with open_many(app, datadog, database_url, replicas=1, environment=KEY) as many:
        for workspace_id in (ACME, BETA):
            assert (await many.install(workspace_id))[0] == 200
        yield many


def own_file(database_url: str, workspace_id: str) -> Path:
    file = Path(database_url.removeprefix("sqlite:///"))
    return file.with_name(f"{file.stem}.{workspace_id}{file.suffix}")


async def test_a_removal_that_the_trail_could_not_take_is_told_as_soon_as_it_can(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = asyncio.Event()

    async def away(*_: Any) -> None:
        tried.set()
        raise NotRecorded

    with monkeypatch.context() as while_away:
        while_away.setattr(opening, "note_installation", away)
        await many.app.uninstall(many.acme)
        await asyncio.wait_for(tried.wait(), 10)
    await many.wait_for_act(ACME, "workspace removed")
    assert await many.acts(ACME) == ["workspace installed", "workspace removed"]


async def test_a_workspace_whose_database_is_broken_is_taken_out_and_its_token_revoked(
    many: Many, tmp_path: Path, database_url: str
) -> None:
    await many.app.uninstall(many.acme)  # so that nothing of it is open
    assert (await many.install(ACME))[0] == 200
    file = own_file(database_url, BETA)
    file.write_bytes(b"this is no database" * 400)
    ended = await command(tmp_path, "workspaces", "remove", BETA, **many.as_in(""))
    words = " ".join(ended.words.split())
    assert ended.code == 1
    assert "Removed T02BETA (Beta)." in words
    assert "Its trail does not tell of it yet" in words
    assert set(many.beta.api.bot_tokens.values()) == {"token_revoked"}


async def test_what_was_removed_and_deleted_is_not_made_again(many: Many, tmp_path: Path, database_url: str) -> None:
    assert (await command(tmp_path, "workspaces", "remove", ACME, **many.as_in(""))).code == 0
    await until(lambda: asyncio.sleep(0, ACME not in many.replicas[0].bot.served.open()))
    for file in own_file(database_url, ACME).parent.glob(f"{own_file(database_url, ACME).name}*"):
        file.unlink(
            missing_ok=True
        )  # SQLite takes the two beside it away itself, when the last who has it open lets go
    ended = await command(tmp_path, "db", "upgrade", **many.as_in(""))
    assert (ended.code, "1 more are up to date" in ended.words) == (0, True), ended.words
    assert not own_file(database_url, ACME).exists()


async def test_an_event_that_comes_while_the_database_is_away_is_left_for_slack_to_send_again(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = many.app.departure(many.acme, "user_change")
    event["event"]["user"] = {"id": ALICE, "team_id": ACME, "deleted": True}

    def away(*_: Any) -> None:
        raise NotRecorded

    with monkeypatch.context() as while_away:
        while_away.setattr(InstallationRows, "installation", away)
        assert (await many.acme.deliver("event", event)).status == 503
    assert (await many.acme.deliver("event", event)).status == 200


async def test_a_slow_database_leaves_the_bot_what_is_left_of_slacks_three_seconds(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = many.replicas[0].bot.store
    read = type(main).read

    async def slowly(store: Any, question: Any) -> Any:
        await asyncio.sleep(1.2 if store is main else 2.5)
        return await read(store, question)

    monkeypatch.setattr(type(main), "read", slowly)
    asked = {
        "type": "block_suggestion",
        "action_id": Action.PICK_WORKFLOW,
        "block_id": "workflow",
        "value": "",
        "team": {"id": ACME},
        "user": {"id": ALICE, "team_id": ACME},
        "view": {"id": "V1", "type": "modal", "private_metadata": "{}"},
    }
    ack = await many.acme.deliver("block_suggestion", asked)
    assert (ack.status, many.acme.slow_answers) == (200, [])


async def test_a_bot_that_can_not_keep_a_token_stops_all_the_same_after_what_is_under_way(
    app: LocalSlackApp, datadog: LocalDatadog, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.use_cases.pace.INSTALLATIONS", 0.05)
    monkeypatch.setattr("bot.served.DRAIN", 0.2)
    app.rotates, app.first_lasts = True, 3600
    exchanged = asyncio.Event()

    def away(*_: Any) -> bool:
        exchanged.set()
        raise NotRecorded

    monkeypatch.setattr(InstallationRows, "refreshed", away)
    async with asyncio.timeout(20):
        async with open_many(app, datadog, database_url, replicas=1, environment=KEY) as many:
            await many.install(ACME)
            await exchanged.wait()


async def test_a_workspace_whose_trail_was_made_with_another_key_is_not_served_and_says_why_while_others_are(
    app: LocalSlackApp, datadog: LocalDatadog, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.use_cases.pace.INSTALLATIONS", 0.05)
    async with open_many(app, datadog, database_url, replicas=1, environment=KEY | {"AUDIT_KEY": "one"}) as many:
        assert (await many.install(ACME))[0] == 200
    async with open_many(app, datadog, database_url, replicas=1, environment=KEY | {"AUDIT_KEY": "other"}) as many:
        assert (await many.install(BETA))[0] == 200

        async def trouble() -> str:
            return str((await many.installation(ACME)).trouble)

        assert await until(trouble) == f"{NOT_SERVED}: {UNKNOWN}"
        assert list(many.replicas[0].bot.served.open()) == [BETA]
        async with browser() as session, session.get(f"{many.replicas[0].url}/readyz") as answer:
            told = await answer.json()
        assert (answer.status, told["attention"].split(":")[0]) == (200, "1 workspace(s) can't be served")


async def test_nobody_can_spend_the_exchanges_that_tokens_live_of(many: Many) -> None:
    url = many.replicas[0].url
    taken = 0
    async with browser() as session:
        for _ in range(AT_ONCE + 5):
            path = await many.begin(session, ACME)
            async with session.get(f"{url}{path.split('code=')[0]}code=none&state={path.split('state=')[1]}") as page:
                taken += "Many are installing" not in await page.text()
    assert taken == AT_ONCE - 2  # two have installed it before
