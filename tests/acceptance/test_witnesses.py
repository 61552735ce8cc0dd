"""The head of the trail is told to witnesses outside the database, signed; and what they know finds a cut-off end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.connections import open_store
from bot.evidence.signed_heads import make_key_pair, public_keys, read_heads
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import open_world, world_environment
from bot.settings import read_settings
from tests.acceptance.scene import AUDIT, ONE_DATABASE, OPS, RESTART, Scene, until
from tests.integration.audit_trail import as_owner
from tests.integration.command_line import Ended, command

PRIVATE, PUBLIC = make_key_pair()
RUN = f"/workflow run {RESTART} service=web"


@dataclass
class Hook:
    """A webhook that notes what it was sent; `status` is what it answers."""

    url: str = ""
    status: int = 204
    got: list[dict[str, Any]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/json"
        if self.status < 300:
            self.got.append(await request.json())
        return web.Response(status=self.status)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application()
    app.router.add_post("/hook/secret-of-the-hook", hook.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook/secret-of-the-hook"
    yield hook
    await runner.cleanup()


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    return tmp_path / "heads.jsonl"


@pytest.fixture
def environment(hook: Hook, heads: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr("bot.use_cases.pace.HEADS", 0.05)
    monkeypatch.setattr("bot.use_cases.pace.HEADS_RETRY", 0.05)
    return {
        "AUDIT_KEY": "a key of the tests",
        "AUDIT_SIGNING_KEY": PRIVATE,
        "AUDIT_WITNESS_PATH": str(heads),
        "AUDIT_WITNESS_URL": hook.url,
        "AUDIT_WITNESS_DATADOG": "logs",
    }


def seqs(path: Path) -> list[int]:
    """The numbers of the heads in a witness file, which may not be there yet."""
    if not path.exists():
        return []
    witnessed = read_heads(path, public_keys([PUBLIC]))
    assert witnessed.faults == []
    return [one.seq for one in witnessed.attestations]


async def witnessed_up_to(scene: Scene, heads: Path) -> int:
    """Wait until the file has the head as it is now."""
    last: int = (await scene.world.bot.store.read(lambda tx: tx.trail_end())).last

    async def look() -> bool:
        return last in seqs(heads)

    await until(look)
    return last


async def verify(scene: Scene, heads: Path, *more: str) -> Ended:
    environment = world_environment(scene.slack, scene.datadog, scene.database_url)
    environment |= {"AUDIT_KEY": "a key of the tests", "AUDIT_CHANNEL": AUDIT}
    options = ["--format", "json", "--witness", str(heads), "--public-key", PUBLIC, *more]
    return await command(heads.parent, "audit", "verify", *options, **environment)


async def test_the_head_is_told_to_every_witness_and_a_trail_cut_off_behind_it_is_found_out(
    scene: Scene, heads: Path, hook: Hook
) -> None:
    scene.tampered = True
    await scene.alice.command(OPS, RUN)
    await scene.told(scene.alice, "*succeeded after")
    last = await witnessed_up_to(scene, heads)
    records = {record.seq: record.hash for record in await scene.world.bot.store.read(lambda tx: tx.records(0, 100))}

    async def all_know() -> bool:
        logs = [json.loads(log["message"]) for log in scene.datadog.logs]
        return all(last in [one["seq"] for one in place] for place in (hook.got, logs))

    await until(all_know)
    for one in [*hook.got, *(json.loads(log["message"]) for log in scene.datadog.logs)]:
        assert records[one["seq"]] == one["hash"]
    assert scene.datadog.logs[0]["ddsource"] == "workflow-bot"

    good = await verify(scene, heads)
    assert good.code == 0, good.output + good.words
    assert good.rows[-1]["witnesses"]["until"] == last
    head = records[last]
    last = await witnessed_up_to(scene, heads)  # that it was verified is recorded
    as_owner(
        scene.database_url,
        f"DELETE FROM audit_records WHERE seq >= {last}",
        f"UPDATE audit_head SET seq = {last - 1}, hash = '{head}'",
    )
    cut = await verify(scene, heads)
    assert cut.code == 1
    found = [(row["break"], row["from"], row["until"]) for row in cut.rows[:-1] if row["break"] != "guard"]
    assert found == [("tail cut", last, last)]


@ONE_DATABASE
async def test_a_witness_that_fails_is_told_later_and_holds_up_no_other(scene: Scene, heads: Path, hook: Hook) -> None:
    hook.status = 503
    scene.datadog.faults.status, scene.datadog.faults.on = 500, "send_logs"
    await scene.alice.command(OPS, RUN)
    await scene.told(scene.alice, "*succeeded after")
    last = await witnessed_up_to(scene, heads)
    assert hook.got == []

    async def noted() -> bool:
        states = await scene.world.bot.store.read(lambda tx: tx.witness_states())
        return {one.name for one in states if one.error} == {"datadog", "url"}

    await until(noted)
    states = {one.name: one for one in await scene.world.bot.store.read(lambda tx: tx.witness_states())}
    assert "status 503" in str(states["url"].error)
    assert "secret-of-the-hook" not in str(states)
    hook.status = 204
    scene.datadog.faults.clear()

    async def told() -> bool:
        return last in [one["seq"] for one in hook.got] and bool(scene.datadog.logs)

    await until(told)


async def test_the_last_head_is_told_when_the_bot_stops(
    slack: LocalSlack,
    datadog: LocalDatadog,
    database_url: str,
    environment: dict[str, str],
    heads: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.use_cases.pace.HEADS", 300.0)
    environment = {**environment, "AUDIT_WITNESS_DATADOG": "events"}
    async with open_world(slack, datadog, database_url, environment=environment) as world:
        for _ in range(3):
            await world.apply('{"version": 1, "workflows": {}, "rules": []}')
            await asyncio.sleep(0.1)
    assert seqs(heads) in ([1, 3], [3], [2, 3])
    assert datadog.events[-1]["title"] == "Head of the audit trail: record 3"


@ONE_DATABASE
async def test_of_two_replicas_one_tells(scene: Scene, heads: Path, environment: dict[str, str]) -> None:
    async with open_world(scene.slack, scene.datadog, scene.database_url, environment=environment):
        await scene.alice.command(OPS, RUN)
        await scene.told(scene.alice, "*succeeded after")
        await witnessed_up_to(scene, heads)
    told = seqs(heads)
    assert len(told) == len(set(told))


@ONE_DATABASE
async def test_the_audit_channel_is_read_back_where_the_token_may(scene: Scene, heads: Path) -> None:
    scene.tampered = True
    await scene.alice.command(OPS, RUN)
    await scene.told(scene.alice, "ended", channel=AUDIT)
    last = await witnessed_up_to(scene, heads)
    told = len(seqs(heads))  # verifying is recorded, and told, too
    refused = await verify(scene, heads, "--slack")
    assert refused.code == 1
    assert "channels:history" in refused.words
    assert "--head SEQ:HASH" in refused.words
    scene.expected_violations += [one for one in scene.slack.violations if "missing_scope" in one]
    scene.slack.scopes.add("channels:history")
    good = await verify(scene, heads, "--slack")
    assert good.code == 0, good.output + good.words
    assert good.rows[-1]["witnesses"]["agree"] == last + told
    as_owner(scene.database_url, "DELETE FROM audit_records WHERE seq > 2", "UPDATE audit_head SET seq = 2")
    cut = await verify(scene, heads, "--slack")
    assert "The audit channel has record" in cut.output


@ONE_DATABASE
async def test_what_people_post_in_the_audit_channel_counts_for_nothing(scene: Scene, heads: Path) -> None:
    scene.slack.scopes.add("channels:history")
    await scene.alice.command(OPS, RUN)
    await scene.told(scene.alice, "ended", channel=AUDIT)
    await witnessed_up_to(scene, heads)
    await scene.alice.say(AUDIT, "*#1 requested*\n`0123456789abcdef` 2026-01-31T09:30:00.000000Z")
    good = await verify(scene, heads, "--slack")
    assert good.code == 0, good.output + good.words


async def test_an_empty_trail_has_no_head_to_be_told(database_url: str) -> None:
    async with open_store(read_settings({"DATABASE_URL": database_url})) as store:
        claim = await store.write(lambda tx: tx.claim_heads(["path"], tx.now, early=True))
        assert claim.held == {}
