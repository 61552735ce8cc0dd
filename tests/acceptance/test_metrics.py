"""What an operator sees of the bot from outside, after things have happened to it."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import aiohttp
import pytest

from bot.domain.runs import State
from bot.storage.store import Transaction
from tests.acceptance.approvals import ask_for, asked, offer_with_approval, shown
from tests.acceptance.outages import database_away
from tests.acceptance.scene import BOTH_DOORS, ONE_DATABASE, OPS, RESTART, Scene, until
from tests.acceptance.scrapes import scrape, seen, values
from tests.acceptance.steps import offer_lasting

RUN = f"/workflow run {RESTART} service=web env=staging"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The databases are looked at many times a second."""
    monkeypatch.setattr("bot.use_cases.pace.SAMPLES", 0.05)
    monkeypatch.setattr("bot.instruments.BEAT", 0.02)


@BOTH_DOORS
async def test_a_run_is_seen_from_the_command_to_its_end(scene: Scene, watchful: None) -> None:
    await scene.alice.command(OPS, RUN)
    await scene.bob.command(OPS, RUN)
    found = await seen(
        scene.world.url,
        "ack_seconds_count kind=command outcome=in time",
        "request_seconds_count kind=command outcome=ok",
        "decisions_total decision=allow reason=allowed by rule",
        "decisions_total decision=deny reason=no rule allows it",
        "datadog_call_seconds_count call=execute outcome=ok",
        "datadog_call_seconds_count call=get_instance outcome=ok",
        "slack_call_seconds_count call=chat.postMessage outcome=ok",
        "database_seconds_count operation=read outcome=ok",
        "database_seconds_count operation=write outcome=ok",
        "database_commit_seconds_count",
        "runs_ended_total state=succeeded",
        "run_seconds_count state=succeeded",
        "event_loop_lag_seconds_count",
        "loop_turn_timestamp_seconds loop=run worker",
        "loop_turn_timestamp_seconds loop=announcer",
        "audit_head workspace=",
        "audit_witness_told witness=channel workspace=",
        "slack_request_timestamp_seconds",
        "process_resident_memory_bytes",
    )
    assert found["ack_seconds_count kind=command outcome=in time"] == 2
    for act in ("requested", "denied", "launching", "launched", "ended"):
        assert found[f"audit_records_total act={act}"] == 1
    assert found["database_up"] == found["workspaces"] == found["loops loop=run worker"] == 1
    assert found["database_commit_transactions_sum"] >= found["database_commit_transactions_count"]


async def test_what_waits_is_counted_and_how_long_it_waited(scene: Scene) -> None:
    await offer_with_approval(scene)
    await ask_for(scene)
    await asked(scene, scene.bob)
    found = await seen(scene.world.url, "runs state=awaiting approval", "approval_oldest_seconds")
    assert found["decisions_total decision=needs approval reason=needs approval"] == 1

    await scene.bob.press("Approve")
    await shown(scene, scene.bob, "*Approved*")

    found = await seen(scene.world.url, "approval_wait_seconds_count outcome=approved", "runs state=running")
    assert found["approval_wait_seconds_count outcome=approved"] == 1
    assert found["approval_wait_seconds_sum outcome=approved"] > 0


async def test_a_run_whose_answer_was_lost_is_counted_as_unknown(scene: Scene) -> None:
    scene.datadog.faults.fail_after_accept = "drop"
    await scene.alice.command(OPS, RUN)
    found = await seen(
        scene.world.url, "datadog_call_seconds_count call=execute outcome=answer lost", "runs state=unknown"
    )
    assert found["runs_ended_total state=unknown"] == 1


@ONE_DATABASE
async def test_what_slack_does_not_take_is_seen_waiting(scene: Scene, impatient: None) -> None:
    scene.slack.faults.fail("chat.postMessage", "internal_error")
    await scene.alice.command(OPS, RUN)
    await seen(
        scene.world.url,
        "slack_call_seconds_count call=chat.postMessage outcome=refused",
        "outbox_messages",
        "outbox_retried_messages",
    )


@pytest.mark.parametrize(
    ("error", "outcome"),
    [("token_revoked", "credentials refused"), ("ratelimited", "limited"), ("fatal_error", "refused")],
)
@ONE_DATABASE
async def test_what_slack_says_no_to_is_told_apart(scene: Scene, error: str, outcome: str) -> None:
    scene.slack.faults.fail("chat.postMessage", error)
    await scene.alice.command(OPS, RUN)
    await seen(scene.world.url, f"slack_call_seconds_count call=chat.postMessage outcome={outcome}")


@pytest.mark.parametrize(
    ("status", "outcome"), [(403, "credentials refused"), (400, "refused"), (429, "limited"), (500, "answer lost")]
)
@ONE_DATABASE
async def test_what_datadog_says_no_to_is_told_apart(scene: Scene, status: int, outcome: str) -> None:
    scene.datadog.faults.status, scene.datadog.faults.on = status, "execute"
    await scene.alice.command(OPS, RUN)
    await seen(scene.world.url, f"datadog_call_seconds_count call=execute outcome={outcome}")


@ONE_DATABASE
async def test_a_datadog_that_is_away_is_seen(scene: Scene) -> None:
    await scene.datadog.__aexit__()
    await scene.alice.command(OPS, RUN)
    await seen(scene.world.url, "datadog_call_seconds_count call=get_workflow outcome=unreachable")


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_while_the_database_is_away_metrics_are_answered_and_say_so(scene: Scene) -> None:
    await seen(scene.world.url, "database_up", "audit_head workspace=")
    async with database_away(scene):
        await scene.alice.command(OPS, RUN)

        async def noticed() -> dict[str, float] | None:
            found = values(await scrape(scene.world.url))
            return found if found["database_up"] == 0 else None

        found = await until(noticed)
        assert found["database_seconds_count operation=read outcome=failed"] > 0
        assert found["audit_head workspace="] > 0
    await seen(scene.world.url, "database_up")


@ONE_DATABASE
async def test_a_loop_that_falls_over_is_counted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    due, falls = Transaction.approvals_due, [1]

    def fall(self: Transaction) -> bool:
        if falls and falls.pop():
            raise RuntimeError("a surprise")
        return due(self)

    monkeypatch.setattr(Transaction, "approvals_due", fall)
    await seen(scene.world.url, "loop_restarts_total loop=approvals", "loops loop=approvals")


@ONE_DATABASE
async def test_a_late_answer_and_a_payload_that_nobody_knows_are_counted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.slack.app.ACK_LIMIT", 0.05)
    read = scene.world.bot.store.read

    async def slow(question: Any) -> Any:
        await asyncio.sleep(0.3)
        return await read(question)

    monkeypatch.setattr(scene.world.bot.store, "read", slow)
    await scene.alice.command(OPS, RUN)
    answer = await scene.world.bot.workspace.switchboard.answer({"type": "something <new>"})
    assert answer.status == 200
    found = await seen(scene.world.url, "ack_seconds_count kind=command outcome=late")
    assert found["ack_seconds_count kind=other outcome=nobody"] == 1


@ONE_DATABASE
async def test_a_surprise_in_a_listener_is_counted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(self: Transaction, *_: Any, **__: Any) -> Any:
        raise RuntimeError("a surprise")

    monkeypatch.setattr(Transaction, "grants", surprise)
    await scene.alice.command(OPS, RUN)
    await seen(scene.world.url, "request_seconds_count kind=command outcome=error")


@ONE_DATABASE
async def test_without_anybody_who_scrapes_the_database_is_left_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seen(scene.world.url, "database_up")
    monkeypatch.setattr("bot.metrics.page.LATELY", 0.0)
    looks: list[object] = []
    monkeypatch.setattr(Transaction, "sample", looks.append)
    await asyncio.sleep(0.2)
    assert looks == []


class TestApart:
    """On an address of their own."""

    @pytest.fixture
    def port(self) -> int:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
            return port

    @pytest.fixture
    def environment(self, port: int) -> dict[str, str]:
        return {"METRICS_PORT": str(port)}

    @ONE_DATABASE
    async def test_metrics_are_there_alone_and_nowhere_else(self, scene: Scene, port: int) -> None:
        apart = f"http://127.0.0.1:{port}"
        assert "workflow_bot_build_info" in await scrape(apart)
        async with aiohttp.ClientSession() as session:
            statuses = [
                (await session.get(url)).status
                for url in (f"{scene.world.url}/metrics", f"{apart}/healthz", f"{scene.world.url}/healthz")
            ]
        assert statuses == [404, 404, 200]


@ONE_DATABASE
async def test_prometheus_may_ask_for_openmetrics(scene: Scene) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{scene.world.url}/metrics", headers=accept) as answer,
    ):
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert (await answer.text()).endswith("# EOF\n")


async def test_no_label_holds_a_person_a_channel_a_workflow_or_what_was_typed(scene: Scene, watchful: None) -> None:
    await scene.alice.command(OPS, RUN)
    await scene.only_run(State.SUCCEEDED)
    await scene.bob.command(OPS, "/workflow why typed-by-bob env=production")
    text = await scrape(scene.world.url)
    for private in (RESTART, "U01ALICE", "U02BOB", "C01OPS", "Alice", "staging", "typed-by-bob", "R-"):
        assert private not in text


@ONE_DATABASE
async def test_a_request_signed_with_another_secret_is_counted(scene: Scene) -> None:
    headers = {"X-Slack-Signature": f"v0={'0' * 64}", "X-Slack-Request-Timestamp": str(int(time.time()))}
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{scene.world.url}/slack/events", data={"command": "/workflow"}, headers=headers)
    assert answer.status == 401
    found = await seen(scene.world.url, "requests_refused_total")
    assert found["http_answers_total path=/slack/events status=401"] == 1


@ONE_DATABASE
async def test_answers_are_counted_by_route_and_not_by_what_somebody_asks_for(scene: Scene) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("/healthz", "/wp-login.php", "/.env"):
            await session.get(f"{scene.world.url}{path}")
    text = await scrape(scene.world.url)
    found = values(text)
    assert found["http_answers_total path=/healthz status=200"] == 1
    assert found["http_answers_total path=other status=404"] == 2
    assert "wp-login" not in text


@ONE_DATABASE
async def test_runs_that_nobody_looks_at_show_as_overdue(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await offer_lasting(scene, seconds=60)
    await scene.alice.command(OPS, RUN)
    await scene.only_run(State.RUNNING)
    monkeypatch.setattr(Transaction, "runs_due", lambda self: False)
    await seen(scene.world.url, "runs_overdue_seconds")
