"""The database is away, read-only or locked: nothing starts, the person is told, no form is lost, and it all goes on later."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest

from bot.domain.runs import State
from tests.acceptance.outages import database_away, database_read_only, is_sqlite
from tests.acceptance.scene import AUDIT, BOTH_DOORS, OPS, RESTART, Scene, until, words

RUN = f"/workflow run {RESTART} service=web"

Outage = Callable[[Scene], AbstractAsyncContextManager[None]]
OUTAGES = pytest.mark.parametrize("outage", [database_away, database_read_only])


@pytest.fixture(autouse=True)
def short_busy_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits 10 s for a lock outside of tests. Asked for before `scene`, as autouse fixtures are."""
    monkeypatch.setattr("bot.storage.engine.BUSY_TIMEOUT", 100)


@OUTAGES
@BOTH_DOORS
async def test_a_submission_starts_nothing_and_keeps_the_form_until_the_database_is_back(
    scene: Scene, impatient: None, outage: Outage
) -> None:
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web", "Environment": "production"})

    async with outage(scene):
        result = await scene.alice.submit()

        assert result.happened == "errors"
        (words_at_field,) = result.errors.values()
        assert "nothing was started" in words_at_field
        assert "What you typed is still here" in words_at_field
        assert scene.starts == []
    view = scene.alice.view
    assert view is not None
    assert view["state"]["values"]["input:service"]["input"]["selected_option"]["value"] == "web"
    assert await scene.runs() == []
    assert (await scene.alice.submit()).happened == "closed"
    await scene.only_run(State.SUCCEEDED)
    assert scene.payloads == [{"service": "web", "env": "production"}]
    assert await scene.acts() == ["requested", "launching", "launched", "ended"]
    await scene.told(scene.alice, "*succeeded after")
    await scene.told(scene.alice, "launched", channel=AUDIT)


@OUTAGES
async def test_a_run_by_name_starts_nothing_and_the_person_is_told(
    scene: Scene, impatient: None, outage: Outage
) -> None:
    async with outage(scene):
        ack = await scene.alice.command(OPS, RUN)

        assert ack.ok

        async def told() -> bool:
            shown = words(scene.alice.view) if scene.alice.view else ""
            return "nothing was started" in shown + "".join(words(m) for m in scene.alice.ephemerals(OPS))

        await until(told)
        assert scene.starts == []
    assert await scene.runs() == []
    assert await scene.acts() == []


@OUTAGES
async def test_a_refusal_that_can_not_be_recorded_is_no_permission_either(scene: Scene, outage: Outage) -> None:
    async with outage(scene):
        await scene.bob.command(OPS, RUN)

        async def told() -> bool:
            shown = words(scene.bob.view) if scene.bob.view else ""
            return "nothing was started" in (shown + "".join(words(m) for m in scene.bob.ephemerals(OPS))).lower()

        await until(told)
    assert scene.starts == []


async def test_where_the_database_can_not_be_read_every_command_is_answered_in_words(
    scene: Scene, impatient: None
) -> None:
    if is_sqlite(scene):
        pytest.skip("SQLite is read while it is locked")
    async with database_away(scene):
        for text in ("", " list", " status", " history"):
            before = len(scene.alice.ephemerals(OPS))
            assert (await scene.alice.command(OPS, f"/workflow{text}")).ok

            async def told(before: int = before) -> bool:
                return len(scene.alice.ephemerals(OPS)) > before or scene.alice.view is not None

            await until(told)
        async with aiohttp.ClientSession() as session, session.get(f"{scene.world.url}/readyz") as answer:
            assert answer.status == 503
            assert (await answer.json())["reason"] == "the database can't be read"
        async with aiohttp.ClientSession() as session, session.get(f"{scene.world.url}/healthz") as answer:
            assert answer.status == 200
    await scene.alice.command(OPS, "/workflow list")
    await scene.told_privately(scene.alice, "Workflows that you may run in this channel")


@OUTAGES
async def test_datadogs_answer_is_kept_until_the_database_is_back(
    scene: Scene, impatient: None, outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    scene.datadog.faults.execute_delay = 0.5
    await scene.alice.command(OPS, RUN)
    await scene.only_run(State.LAUNCHING)

    async with outage(scene):

        async def answered() -> bool:
            return len(scene.starts) == 1

        await until(answered)

    run = await scene.only_run(State.SUCCEEDED)
    assert run.instance_id == scene.datadog.executions[0].instance_id
    assert len(scene.payloads) == 1
    assert await scene.acts() == ["requested", "launching", "launched", "ended"]
    await scene.told(scene.alice, "*succeeded after")
    assert "so nothing was started" not in caplog.text  # words for people; a loop logs the database's


async def test_a_connection_that_the_database_has_ended_costs_nobody_a_request(scene: Scene) -> None:
    if is_sqlite(scene):
        pytest.skip("SQLite has no connections to end")
    await scene.alice.command(OPS, "/workflow list")
    await scene.told_privately(scene.alice, "Workflows that you may run in this channel")
    async with database_away(scene):
        pass

    await scene.alice.command(OPS, RUN)

    await scene.only_run(State.SUCCEEDED)
