"""One id from a slash command to the record of its outcome; and a collector that does no harm whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys

import pytest

from bot.domain.runs import State
from bot.observability import OnBehalfOf
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import open_world
from tests.acceptance.collector import Collector
from tests.acceptance.scene import AUDIT, BOTH_DOORS, ONE_DATABASE, OPS, RESTART, Scene, until
from tests.acceptance.scrapes import seen
from tests.acceptance.steps import offer_lasting

RUN = f"/workflow run {RESTART} service=web env=staging"


@pytest.fixture
def environment(collector: Collector) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_HEADERS": "api-key=of-the-collector"}


@BOTH_DOORS
async def test_one_id_leads_from_the_command_through_log_trail_and_trace_to_the_outcome(
    scene: Scene, collector: Collector, watchful: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="bot")
    caplog.handler.addFilter(OnBehalfOf())
    scene.slack.faults.fail("chat.postMessage", "internal_error", times=2)  # so that there is something to log

    await scene.alice.command(OPS, RUN)
    run = await scene.only_run(State.SUCCEEDED)
    await scene.told(scene.alice, "succeeded")

    records = [record for record in await scene.records() if record["run"] == run.id]
    assert [record["act"] for record in records] == ["requested", "launching", "launched", "ended"]
    assert {record["request"] for record in records} == {run.request_id}
    lines = [line.getMessage() for line in caplog.records if getattr(line, "request", "") == run.request_id]
    assert any("not delivered" in line for line in lines)

    async def told() -> bool:
        return any(span.name == "slack chat.update" for span in collector.of(run.request_id))

    await until(told)
    spans = collector.of(run.request_id)
    names = [span.name for span in spans]
    for name in ("command", "database write", "datadog execute", "datadog get_instance", "slack chat.postMessage"):
        assert name in names
    events = [name for span in spans for name, _ in span.events]
    assert [name for name in events if name in ("requested", "launching", "launched", "ended")] == events
    assert len(events) == 4
    (first,) = [span for span in spans if span.name == "command"]
    assert first.parent == ""
    assert {span.parent for span in spans if span is not first} <= {span.id for span in spans}
    assert all(span.attributes["workflow_bot.request"] == run.request_id for span in spans)


@ONE_DATABASE
async def test_the_decision_is_in_the_trace(scene: Scene, collector: Collector) -> None:
    await scene.bob.command(OPS, RUN)

    async def denied() -> dict[str, str] | None:
        return next((told for span in collector.spans for name, told in span.events if name == "denied"), None)

    told = await until(denied)
    assert told == {"workflow_bot.decision": "deny", "workflow_bot.reason": "no rule allows it"}
    assert {headers["api-key"] for headers in collector.headers} == {"of-the-collector"}


@ONE_DATABASE
async def test_a_span_tells_neither_a_person_nor_a_channel_nor_what_was_typed(
    scene: Scene, collector: Collector, watchful: None
) -> None:
    await scene.alice.command(OPS, RUN)
    await scene.told(scene.alice, "succeeded")
    await scene.alice.command(OPS, f"/workflow lock {RESTART} a-reason-typed for 1h")
    await scene.alice.command(OPS, "/workflow run a-name-that-nothing-has")

    async def told() -> bool:
        return {"locked", "denied"} <= {name for span in collector.spans for name, _ in span.events}

    await until(told)
    for private in (
        "a-name-that-nothing-has",
        scene.alice.id,
        "Alice",
        OPS,
        "staging",
        "web",
        "a-reason-typed",
        "instances/",
    ):
        assert private not in "".join(collector.bodies)


@ONE_DATABASE
async def test_another_replica_adds_to_the_trace_of_the_request(
    scene: Scene, collector: Collector, watchful: None, slack: LocalSlack, datadog: LocalDatadog
) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    run = await scene.only_run(State.RUNNING)
    async with Collector() as other:
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": other.url, "AUDIT_CHANNEL": AUDIT}
        async with open_world(slack, datadog, scene.database_url, environment=more):
            datadog.let_pass(60)
            await scene.only_run(State.SUCCEEDED)

            async def joined() -> bool:
                return bool(other.of(run.request_id))

            await until(joined)
    first = run.request_id[:16]
    assert [span.id for span in collector.spans if span.name == "command"] == [first]
    assert first in {span.parent for span in other.of(run.request_id)}


@pytest.mark.parametrize("how", ["hangs", "refuses"])
@ONE_DATABASE
async def test_a_collector_that_is_away_costs_nobody_time_nor_keeps_the_bot_from_stopping(
    how: str,
    slack: LocalSlack,
    datadog: LocalDatadog,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    if how == "refuses":
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")  # s; what hangs, hangs for longer than the test
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")  # spans; so that it is full at once
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    monkeypatch.setattr("bot.tracing.LAST_WORD", 0.2)
    async with asyncio.timeout(None) as bound, Collector(hangs=True) as collector:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
            url = collector.url if how == "hangs" else nobody
            environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": url}
            async with open_world(slack, datadog, database_url, environment=environment) as world:
                scene = Scene(slack, datadog, database_url, world)
                await scene.offer()
                for _ in range(10):
                    await scene.alice.command(OPS, RUN)
                if how == "hangs":
                    await collector.asked.wait()
                await scene.alice.command(OPS, RUN)

                async def ended() -> bool:
                    return [run.state for run in await scene.runs()] == [State.SUCCEEDED] * 11

                await until(ended, 30)
                if how == "refuses":
                    await seen(world.url, "spans_total outcome=lost")
                bound.reschedule(asyncio.get_running_loop().time() + 20)  # the library itself waits for 30 s
    assert slack.slow_answers == []
    if how == "refuses":
        assert "the collector does not take traces" in caplog.text
    assert not [line for line in caplog.records if line.name.startswith("opentelemetry")]


def test_without_a_collector_nothing_of_it_is_imported() -> None:
    program = "import sys, bot.cli.serve, bot.instruments; print([n for n in sys.modules if 'opentelemetry' in n])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout) == []
