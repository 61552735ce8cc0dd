"""`/readyz` tells the truth about each thing that the bot can't serve without, and `/healthz` about the process alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from bot.storage.store import Transaction
from tests.acceptance.scene import ONE_DATABASE, OPS, Json, Scene, until

Ask = Any


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question is answered anew."""
    monkeypatch.setattr("bot.readiness.LASTS", 0.0)


@pytest.fixture
async def ask(scene: Scene) -> AsyncIterator[Ask]:
    async with aiohttp.ClientSession() as session:

        async def ask(path: str = "/readyz") -> tuple[int, Json]:
            async with session.get(scene.world.url + path) as answer:
                return answer.status, await answer.json()

        yield ask


async def becomes(ask: Ask, check: str, words: str) -> None:
    """Wait until the check says this; alive the process is all the while."""

    async def look() -> bool:
        status, body = await ask()
        return bool(body["checks"][check] == words and status == (200 if words == "ok" else 503))

    await until(look)
    assert await ask("/healthz") == (200, {"status": "ok"})


@ONE_DATABASE
async def test_what_is_good_to_know_is_told_and_makes_nothing_unready(scene: Scene, ask: Ask) -> None:
    await scene.alice.command(OPS, "/workflow help")

    status, body = await ask()

    assert status == 200
    assert 0 <= body["seconds since"]["last request"] < 60
    assert body["seconds since"]["definitions compared"] is None


@ONE_DATABASE
async def test_a_bot_whose_loop_has_fallen_over_is_not_ready_until_it_is_up_again(
    scene: Scene, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.supervision.SHORTEST_PAUSE", 0.3)

    def fail(self: Any) -> Any:
        raise RuntimeError("a surprise")

    with monkeypatch.context() as broken:
        broken.setattr(Transaction, "runs_due", fail)
        scene.world.bot.workspace.worker.wake()
        await becomes(ask, "loops", "the loop “run worker” has fallen over")

    await becomes(ask, "loops", "ok")


@ONE_DATABASE
async def test_a_loop_that_does_not_come_round_is_told(scene: Scene, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.world.bot.workspace.worker.wake()
    monkeypatch.setattr("bot.readiness.TURN", -1.0)

    await becomes(ask, "loops", "the loop “run worker” does not come round")


@ONE_DATABASE
async def test_a_writer_that_is_stuck_is_told(scene: Scene, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.readiness.WRITE", 0.1)
    go = threading.Event()
    stuck = asyncio.create_task(scene.world.bot.store.write(lambda tx: go.wait(10)))

    await becomes(ask, "writes", "the database takes no writes")
    go.set()
    await stuck

    await becomes(ask, "writes", "ok")


async def test_a_database_behind_the_migrations_is_told(
    scene: Scene, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(revision: str) -> None:
        engine = sa.create_engine(scene.database_url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
        engine.dispose()

    scene.tampered = True
    await asyncio.to_thread(put, "0001")

    await becomes(ask, "database", "the database is behind this version's migrations")
    await asyncio.to_thread(put, "9999")

    await becomes(ask, "database", "ok")  # a newer version has made it so, and leaves this one working


@ONE_DATABASE
async def test_a_flood_of_questions_asks_the_database_once(
    scene: Scene, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.readiness.LASTS", 60.0)
    await ask()
    asked: list[str] = []
    real = Transaction.policy_version

    def counted(self: Any) -> Any:
        asked.append("policy_version")
        return real(self)

    monkeypatch.setattr(Transaction, "policy_version", counted)
    answers = await asyncio.gather(*(ask() for _ in range(50)))

    assert {status for status, _ in answers} == {200}
    assert asked == []


@ONE_DATABASE
async def test_datadog_being_away_makes_nothing_unready(scene: Scene, ask: Ask) -> None:
    await scene.datadog.__aexit__()

    assert (await ask())[0] == 200
