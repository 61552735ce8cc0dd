"""The client against the stand-in, over real HTTP: what it returns, and what each failure is called."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.datadog import connections
from bot.datadog.client import Datadog, KeyCheck
from bot.datadog.connections import open_http
from bot.datadog.credentials import Credentials
from bot.datadog.sites import Site
from bot.domain.errors import (
    DatadogError,
    DatadogForbidden,
    DatadogLimited,
    DatadogRefused,
    DatadogUnreachable,
    OutcomeUnknown,
)
from bot.sandbox.datadog import LocalDatadog

UNKNOWN = "aaa11111-aa11-4a11-8aaa-aaaaaa111111"
SECRET_INPUT = "hunter2-very-secret"


class Stage:
    """A stand-in with one workflow, and a client for it."""

    def __init__(self, dd: LocalDatadog, http: httpx.AsyncClient, now: list[float]) -> None:
        self.dd, self.http, self.now = dd, http, now
        self.site = Site("datadoghq.com", dd.url, dd.url)
        self.client = self.account(Credentials(dd.api_key, dd.app_key))
        self.workflow = dd.add_workflow(
            name="Restart",
            parameters=[{"name": "service", "type": "STRING"}, {"name": "count", "type": "NUMBER", "defaultValue": 1}],
            steps=["Stop", "Start"],
            step_seconds=10,
            outputs={"done": True},
            tags=["team:ops"],
        )

    def account(self, credentials: Credentials, base_url: str = "", **options: Any) -> Datadog:
        return Datadog(credentials, base_url or self.dd.url, self.http, self.site, **options)

    async def start(self) -> str:
        return await self.client.execute(self.workflow, {"service": SECRET_INPUT})


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    now = [1_000_000.0]
    async with LocalDatadog(clock=lambda: now[0]) as dd, open_http() as http:
        yield Stage(dd, http, now)


# ------------------------------------------------------------------------------------------------- when all is well


async def test_a_workflow_is_started_once_and_followed_to_its_end(stage: Stage) -> None:
    instance_id = await stage.start()
    (execution,) = stage.dd.executions
    assert (execution.workflow_id, execution.instance_id) == (stage.workflow, instance_id)
    assert execution.payload == {"service": SECRET_INPUT}

    seen = await stage.client.get_instance(stage.workflow, instance_id)
    assert (seen.kind, seen.ended, seen.steps) == ("IN_PROGRESS", False, (("Stop", "IN_PROGRESS"),))
    assert seen.url == f"{stage.dd.url}/workflow/{stage.workflow}?instance={instance_id}"
    stage.now[0] += 15
    seen = await stage.client.get_instance(stage.workflow, instance_id)
    assert seen.steps == (("Stop", "SUCCEEDED"), ("Start", "IN_PROGRESS"))
    stage.now[0] += 15
    seen = await stage.client.get_instance(stage.workflow, instance_id)
    assert (seen.ended, seen.succeeded, seen.outputs) == (True, True, {"done": True})


async def test_a_failed_step_is_an_end_with_a_reason(stage: Stage) -> None:
    workflow = stage.dd.add_workflow(name="Fails", steps=["Only"], step_seconds=0, outcome="STEP_ERROR")
    seen = await stage.client.get_instance(workflow, await stage.client.execute(workflow, {}))
    assert (seen.ended, seen.succeeded, seen.error_detail) == (True, False, "Step Only failed")
    assert seen.steps == (("Only", "STEP_ERROR"),)


async def test_a_cancel_takes_effect_a_little_later(stage: Stage) -> None:
    instance_id = await stage.start()
    await stage.client.cancel_instance(stage.workflow, instance_id)
    assert not (await stage.client.get_instance(stage.workflow, instance_id)).ended
    stage.now[0] += 1
    seen = await stage.client.get_instance(stage.workflow, instance_id)
    assert (seen.kind, seen.ended, seen.succeeded) == ("CANCELED", True, False)
    await stage.client.cancel_instance(stage.workflow, instance_id)


async def test_instances_are_listed_newest_first_in_pages(stage: Stage) -> None:
    started = [await stage.start() for _ in range(5)]
    page = await stage.client.list_instances(stage.workflow, page_size=2, page_number=1)
    assert ([each.id for each in page.instances], page.total) == ([started[2], started[1]], 5)
    assert all(each.source_api for each in page.instances)


async def test_a_workflow_comes_with_its_inputs(stage: Stage) -> None:
    found = await stage.client.get_workflow(stage.workflow)
    assert [(each.name, each.required) for each in found.parameters] == [("service", True), ("count", False)]
    assert found.has_api_trigger
    assert found.published
    before = found.definition_hash
    stage.dd.change_workflow(stage.workflow, description="only words")
    assert (await stage.client.get_workflow(stage.workflow)).definition_hash == before
    stage.dd.change_workflow(stage.workflow, spec={"steps": [], "triggers": []})
    assert (await stage.client.get_workflow(stage.workflow)).definition_hash != before


async def test_workflows_are_listed_with_their_inputs_and_counted(stage: Stage) -> None:
    stage.dd.add_workflow(name="Draft restart", published=False)
    stage.dd.add_workflow(name="Other")
    page = await stage.client.list_workflows()
    assert ([each.name for each in page.workflows], page.total) == (["Restart", "Other"], 2)
    assert page.workflows[0].definition_hash == (await stage.client.get_workflow(stage.workflow)).definition_hash
    assert (await stage.client.list_workflows(query="restart", include_unpublished=True)).total == 2
    assert (await stage.client.list_workflows(query="team:ops")).workflows[0].id == stage.workflow
    assert [each.name for each in (await stage.client.list_workflows(page=1, limit=1)).workflows] == ["Other"]


async def test_an_access_token_serves_as_well_as_keys(stage: Stage) -> None:
    bearer = stage.account(Credentials(access_token=stage.dd.access_token))
    instance_id = await bearer.execute(stage.workflow, {"service": "web"})
    assert (await bearer.get_instance(stage.workflow, instance_id)).id == instance_id
    assert await bearer.validate_keys() is None


# ------------------------------------------------------------------------------------------------ when Datadog says no


async def test_each_key_is_checked_for_itself(stage: Stage) -> None:
    right = stage.dd
    assert await stage.client.validate_keys() == KeyCheck(api_key=True, pair=True)
    assert await stage.account(Credentials(right.api_key, "wrong")).validate_keys() == KeyCheck(
        api_key=True, pair=False
    )
    assert await stage.account(Credentials("wrong", right.app_key)).validate_keys() == KeyCheck(
        api_key=False, pair=False
    )


@pytest.mark.parametrize(
    "credentials", [Credentials("wrong-key", "wrong-app"), Credentials(access_token="wrong-token")]
)
async def test_wrong_keys_are_refused_with_what_to_check(stage: Stage, credentials: Credentials) -> None:
    with pytest.raises(DatadogForbidden) as error:
        await stage.account(credentials).execute(stage.workflow, {"service": "web"})
    words = str(error.value)
    for cause in ("registered for Actions API access", "workflows_run", "a Runner of this workflow", "datadoghq.com"):
        assert cause in words
    assert "wrong-" not in words
    assert stage.dd.executions == []


async def test_a_forbidden_read_names_the_scope_for_reading(stage: Stage) -> None:
    stage.dd.faults.status = 401
    with pytest.raises(DatadogForbidden, match=r"workflows_read.*a Viewer"):
        await stage.client.get_workflow(stage.workflow)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Reset": "3", "Retry-After": "9"}, 3.0),
        ({"Retry-After": "9"}, 9.0),
        ({"X-RateLimit-Reset": "soon", "Retry-After": "1.5"}, 1.5),
        ({"X-RateLimit-Reset": "nan"}, None),
        ({"Retry-After": "Wed, 19 Jul 2023 16:05:59 GMT"}, None),
        ({}, None),
    ],
)
async def test_a_limit_tells_how_long_to_wait_if_it_is_known(
    stage: Stage, headers: dict[str, str], seconds: float | None
) -> None:
    stage.dd.faults.status, stage.dd.faults.headers, stage.dd.faults.times = 429, headers, 2
    for call in (stage.start, stage.client.list_workflows):
        with pytest.raises(DatadogLimited) as error:
            await call()
        assert error.value.retry_after == seconds
    assert await stage.start()
    assert len(stage.dd.executions) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (["string error"], "string error"),
        ([{"code": "X", "detail": "object error"}], "object error"),
        ("<html><body><h1>400</h1>\nNo way</body></html>", "400 No way"),
        ({"unexpected": 1}, "gave no reason"),
    ],
)
async def test_a_refusal_is_put_in_words_whatever_its_body(stage: Stage, body: Any, words: str) -> None:
    stage.dd.faults.status, stage.dd.faults.body = 400, body
    for call in (stage.start, stage.client.list_workflows):
        with pytest.raises(DatadogRefused, match=words) as error:
            await call()
        assert error.value.status == 400


async def test_a_refusal_never_quotes_an_input_or_a_key(stage: Stage) -> None:
    said = f"value {SECRET_INPUT} with {stage.dd.api_key} and {stage.dd.app_key} is bad, and so is 'service'"
    for status in (400, 403):
        stage.dd.faults.status, stage.dd.faults.body = status, [{"detail": said, "title": SECRET_INPUT}]
        with pytest.raises(DatadogRefused, match="is bad, and so is 'service'") as error:
            await stage.client.execute(stage.workflow, {"service": SECRET_INPUT, "list": [{"deep": "service"}]})
        for secret in (SECRET_INPUT, stage.dd.api_key, stage.dd.app_key):
            assert secret not in str(error.value)


async def test_what_does_not_exist_is_a_refusal_with_its_code(stage: Stage) -> None:
    for call in (stage.client.get_instance, stage.client.cancel_instance):
        with pytest.raises(DatadogRefused) as error:
            await call(stage.workflow, UNKNOWN)
        assert (error.value.status, error.value.code) == (404, "INSTANCE_NOT_FOUND")
    with pytest.raises(DatadogRefused, match="workflow not found") as error:
        await stage.client.get_workflow(UNKNOWN)
    assert error.value.status == 404


async def test_an_instance_may_not_be_visible_yet(stage: Stage) -> None:
    stage.dd.faults.invisible_gets = 2
    instance_id = await stage.start()
    for _ in range(2):
        with pytest.raises(DatadogRefused) as error:
            await stage.client.get_instance(stage.workflow, instance_id)
        assert (error.value.status, error.value.code) == (404, "INSTANCE_NOT_FOUND")
    assert (await stage.client.get_instance(stage.workflow, instance_id)).id == instance_id


async def test_inputs_that_are_no_json_are_refused_before_anything_is_sent(stage: Stage) -> None:
    for value in (float("nan"), object(), b"bytes"):
        with pytest.raises(DatadogRefused):
            await stage.client.execute(stage.workflow, {"service": value})
    assert stage.dd.requests == []


# -------------------------------------------------------------------------------------------- when the answer is lost


@pytest.mark.parametrize("lost", ["500", "502", "drop", "garbage", "slow:0.5"])
async def test_a_lost_answer_leaves_the_outcome_unknown_and_is_not_sent_again(stage: Stage, lost: str) -> None:
    stage.dd.faults.fail_after_accept = lost
    impatient = stage.account(Credentials(stage.dd.api_key, stage.dd.app_key), total_timeout=0.25)
    with pytest.raises(OutcomeUnknown, match="may or may not have started"):
        await impatient.execute(stage.workflow, {"service": SECRET_INPUT})
    assert len(stage.dd.executions) == 1


@pytest.mark.parametrize("status", [302, 307, 308, 408, 425, 499, 500, 501, 503, 504])
async def test_an_undecided_status_is_unknown_for_a_start_and_repeatable_for_a_read(stage: Stage, status: int) -> None:
    stage.dd.faults.status, stage.dd.faults.headers = status, {"Location": f"{stage.dd.url}/api/v1/validate"}
    with pytest.raises(OutcomeUnknown) as unknown:
        await stage.start()
    assert unknown.value.status == status
    instance_read = stage.client.get_instance(stage.workflow, UNKNOWN)
    for read in (instance_read, stage.client.list_workflows(), stage.client.cancel_instance(stage.workflow, UNKNOWN)):
        with pytest.raises(DatadogUnreachable) as unreachable:
            await read
        assert unreachable.value.status == status
    assert len(stage.dd.requests) == 4  # no redirect followed, nothing repeated


@pytest.mark.parametrize("body", [{}, {"data": {}}, {"data": {"id": 7}}, ["errors"], "<html>hello</html>"])
async def test_a_good_status_without_an_id_is_unknown(stage: Stage, body: Any) -> None:
    stage.dd.faults.status, stage.dd.faults.body = 200, body
    with pytest.raises(OutcomeUnknown):
        await stage.start()
    with pytest.raises(DatadogUnreachable):
        await stage.client.get_instance(stage.workflow, UNKNOWN)


async def test_an_endless_answer_is_not_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_LIMIT", 1_000)
    stage.dd.faults.body = "x" * 2_000
    for status, error in ((200, OutcomeUnknown), (400, DatadogRefused)):
        stage.dd.faults.status = status
        with pytest.raises(error):
            await stage.start()


async def test_a_refused_connection_means_nothing_was_sent(stage: Stage) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        nobody = stage.account(stage.client._credentials, f"http://127.0.0.1:{reserved.getsockname()[1]}")
        for call in (nobody.execute(stage.workflow, {}), nobody.list_workflows()):
            with pytest.raises(DatadogUnreachable, match="Nothing was sent"):
                await call


async def test_a_failed_handshake_means_nothing_was_sent(stage: Stage) -> None:
    wrong_door = stage.account(stage.client._credentials, stage.dd.url.replace("http:", "https:"))
    with pytest.raises(DatadogUnreachable, match="Nothing was sent"):
        await wrong_door.execute(stage.workflow, {"service": "web"})


async def test_no_place_in_the_pool_means_nothing_was_sent(stage: Stage) -> None:
    stage.dd.faults.fail_after_accept = "slow:1"
    async with open_http(connect_timeout=0.1, max_connections=1) as http:
        narrow = Datadog(stage.client._credentials, stage.dd.url, http, stage.site)
        first = asyncio.create_task(narrow.execute(stage.workflow, {"service": "a"}))
        while not stage.dd.executions:  # noqa: ASYNC110 - the stand-in has no event for it
            await asyncio.sleep(0.01)
        with pytest.raises(DatadogUnreachable, match="Nothing was sent"):
            await narrow.execute(stage.workflow, {"service": "b"})
        await first
    assert len(stage.dd.executions) == 1


# --------------------------------------------------------------------------------------------------------- secrets


async def test_nothing_secret_is_logged_or_shown(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = [repr(stage.client), repr(stage.client._credentials)]
    for fault in ("", "500", "drop", "garbage"):
        stage.dd.faults.fail_after_accept = fault
        try:
            await stage.start()
        except DatadogError as error:
            said += [str(error), repr(error), str(error.__cause__)]
    said += [record.getMessage() for record in caplog.records]
    for secret in (stage.dd.api_key, stage.dd.app_key, SECRET_INPUT):
        assert not any(secret in line for line in said)


def test_the_official_client_is_not_used() -> None:
    # It repeats POST after 5xx answers and timeouts when its retries are on: that can start a workflow twice.
    room = Path(connections.__file__).parent
    assert not [path for path in room.glob("*.py") if "datadog_api_client" in path.read_text()]
