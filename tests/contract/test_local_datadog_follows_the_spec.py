"""The stand-in against Datadog's API description and recorded exchanges, so that it can't drift into fiction."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import httpx
import jsonschema
import pytest

from bot.datadog.connections import open_http
from bot.sandbox.datadog import Faults, LocalDatadog
from tests.datadog_recordings import api_description, recording

UNKNOWN = "aaa11111-aa11-aa11-aaaa-aaaaaa111111"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INPUT = [{"name": "input", "type": "STRING"}]


class Door:
    """Raw requests to a stand-in, with the right keys."""

    def __init__(self, dd: LocalDatadog, http: httpx.AsyncClient, now: list[float]) -> None:
        self.dd, self.http, self.now = dd, http, now
        self.keys = {"DD-API-KEY": dd.api_key, "DD-APPLICATION-KEY": dd.app_key}

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self.http.request(method, self.dd.url + path, json=body, headers=self.keys)

    async def start(self, workflow: str, payload: dict[str, Any] | None = None) -> httpx.Response:
        body = {"meta": {"payload": payload}} if payload is not None else {}
        return await self.ask("POST", f"/api/v2/workflows/{workflow}/instances", body)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    now = [1_000_000.0]
    async with LocalDatadog(clock=lambda: now[0]) as dd, open_http() as http:
        yield Door(dd, http, now)


# ----------------------------------------------------------------------------------- against the API description


def schema_check(name: str) -> jsonschema.Draft202012Validator:
    document = api_description()
    for schema in document["components"]["schemas"].values():
        _allow_null(schema)
    return jsonschema.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    )


def _allow_null(schema: Any) -> None:
    """OpenAPI 3.0's `nullable` in JSON Schema's words."""
    children = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for child in children:
        _allow_null(child)
    if isinstance(schema, dict) and schema.pop("nullable", False) is True:
        inner = dict(schema)
        schema.clear()
        schema["anyOf"] = [inner, {"type": "null"}]


async def test_every_good_answer_fits_the_api_description(door: Door) -> None:
    workflow = door.dd.add_workflow(name="W", parameters=INPUT, steps=["A", "B"], tags=["a:b"], outputs={"x": 1})
    root = f"/api/v2/workflows/{workflow}"
    started = await door.start(workflow, {"input": "value"})
    instance = f"{root}/instances/{started.json()['data']['id']}"
    attributes = {"name": "New", "spec": (await door.ask("GET", root)).json()["data"]["attributes"]["spec"]}
    data = {"data": {"type": "workflows", "attributes": attributes}}
    answers = [
        (started, 200, "WorkflowInstanceCreateResponse"),
        (await door.ask("GET", instance), 200, "WorklflowGetInstanceResponse"),
        (await door.ask("GET", f"{root}/instances"), 200, "WorkflowListInstancesResponse"),
        (await door.ask("PUT", f"{instance}/cancel"), 200, "WorklflowCancelInstanceResponse"),
        (await door.ask("GET", root), 200, "GetWorkflowResponse"),
        (await door.ask("GET", "/api/v2/workflows"), 200, "ListWorkflowsResponse"),
        (await door.ask("GET", "/api/v2/workflows?filter[includeSpecs]=true"), 200, "ListWorkflowsResponse"),
        (await door.ask("POST", "/api/v2/workflows", data), 201, "CreateWorkflowResponse"),
        (await door.ask("PATCH", root, data), 200, "UpdateWorkflowResponse"),
    ]
    for response, status, schema in answers:
        assert response.status_code == status
        schema_check(schema).validate(response.json())
    assert (await door.ask("DELETE", root)).status_code == 204
    assert (await door.ask("GET", root)).status_code == 404


async def test_errors_of_workflow_routes_fit_and_those_of_instance_routes_differ_as_recorded(door: Door) -> None:
    described, real = schema_check("APIErrorResponse"), schema_check("JSONAPIErrorResponse")
    for path in ("/api/v2/workflows/bad", f"/api/v2/workflows/{UNKNOWN}"):
        real.validate((await door.ask("GET", path)).json())
    for path in ("/api/v2/workflows/bad/instances", f"/api/v2/workflows/{UNKNOWN}/instances/{UNKNOWN}"):
        body = (await door.ask("GET", path)).json()
        real.validate(body)
        assert not described.is_valid(body)  # the description says texts, the recordings show objects


# --------------------------------------------------------------------------------------- against recorded exchanges

RECORDED_ERRORS = [
    "cancel_a_workflow_instance_returns_bad_request_response",
    "cancel_a_workflow_instance_returns_not_found_response",
    "create_a_workflow_returns_bad_request_response",
    "delete_an_existing_workflow_returns_not_found_response",
    "execute_a_workflow_returns_bad_request_response",
    "get_a_workflow_instance_returns_bad_request_response",
    "get_a_workflow_instance_returns_not_found_response",
    "get_an_existing_workflow_returns_bad_request_response",
    "get_an_existing_workflow_returns_not_found_response",
    "list_workflow_instances_returns_bad_request_response",
    "update_an_existing_workflow_returns_bad_request_response",
    "update_an_existing_workflow_returns_not_found_response",
]
RECORDED_ANSWERS = [
    "create_a_workflow_returns_successfully_created_a_workflow_response",
    "delete_an_existing_workflow_returns_successfully_deleted_a_workflow_response",
    "execute_a_workflow_returns_created_response",
    "get_an_existing_workflow_returns_successfully_got_a_workflow_response",
    "list_workflows_returns_ok_response",
    "list_workflows_returns_ok_response_with_pagination",
    "update_an_existing_workflow_returns_successfully_updated_a_workflow_response",
]


async def replay(door: Door, name: str) -> tuple[httpx.Response, dict[str, Any]]:
    """Send a recorded request to a stand-in that holds the workflow it names."""
    exchange = recording(name)
    request = exchange["request"]
    found = UUID.search(request["path"])
    if found and "not_found" not in name:
        door.dd.add_workflow(name="W", parameters=INPUT, id=found.group())
    elif not found:
        door.dd.add_workflow(name="W")
    response = await door.ask(request["method"], unquote(request["path"]), request["body"])
    return response, exchange["response"]


def assert_same_head(response: httpx.Response, recorded: dict[str, Any]) -> None:
    assert response.status_code == recorded["status"]
    assert response.headers.get("content-type") == recorded["headers"].get("content-type")


@pytest.mark.parametrize("name", RECORDED_ERRORS)
async def test_errors_are_those_recorded(door: Door, name: str) -> None:
    response, recorded = await replay(door, name)
    assert_same_head(response, recorded)
    assert response.json() == recorded["body"]


@pytest.mark.parametrize("name", RECORDED_ANSWERS)
async def test_good_answers_have_the_recorded_shape(door: Door, name: str) -> None:
    response, recorded = await replay(door, name)
    assert_same_head(response, recorded)
    assert shape(response.json() if response.content else "") == shape(recorded["body"])


async def test_instances_have_the_recorded_shape(door: Door) -> None:
    workflow = door.dd.add_workflow(name="W", steps=["Sleep"], step_seconds=300)
    path = f"/api/v2/workflows/{workflow}/instances"
    first = (await door.start(workflow)).json()["data"]["id"]
    canceled = await door.ask("PUT", f"{path}/{first}/cancel")
    recorded = recording("cancel_a_workflow_instance_returns_ok_response")["response"]
    assert_same_head(canceled, recorded)
    assert canceled.json() == recorded["body"]
    door.now[0] += 5
    await door.start(workflow)
    one, every = await door.ask("GET", f"{path}/{first}"), await door.ask("GET", path)
    for response, name in ((one, "get_a_workflow_instance"), (every, "list_workflow_instances")):
        recorded = recording(f"{name}_returns_ok_response")["response"]
        assert_same_head(response, recorded)
        assert shape(response.json()) == shape(_as_if_by_api(recorded["body"]))
        assert response.json()["meta"] == recorded["body"]["meta"]


def _as_if_by_api(body: Any) -> Any:
    """Some recorded instances were started by hand; the stand-in's all come through the API."""
    return json.loads(json.dumps(body).replace('"manual"', '"api"'))


def shape(value: Any) -> Any:
    """Keys and kinds of values. Specs, outputs and triggers are free in form; a list has the shape of its items."""
    if isinstance(value, dict):
        free = {"spec", "outputs", "trigger"}
        return {key: "free" if key in free and item is not None else shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(item), sort_keys=True) for item in value})
    return type(value).__name__


# ------------------------------------------------------------------------------------------------ strict on the way in


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"service": "a", "typo": 1}, 'input parameter "typo" not in workflow input schema'),
        ({}, 'input parameter "service" is required'),
        ({"service": 1}, 'input parameter "service" must be of type STRING'),
        ({"service": "a", "count": True}, 'input parameter "count" must be of type NUMBER'),
        ({"service": "a", "names": ["x", 1]}, 'input parameter "names" must be of type ARRAY_STRING'),
    ],
)
async def test_inputs_are_checked_before_anything_starts(door: Door, payload: dict[str, Any], text: str) -> None:
    parameters: list[dict[str, Any]] = [
        {"name": "service", "type": "STRING"},
        {"name": "count", "type": "NUMBER", "defaultValue": 1},
        {"name": "names", "type": "ARRAY_STRING", "defaultValue": []},
    ]
    response = await door.start(door.dd.add_workflow(name="W", parameters=parameters), payload)
    assert (response.status_code, response.json()) == (400, {"errors": [{"detail": text}]})
    assert door.dd.executions == []


async def test_only_published_workflows_with_an_api_trigger_start(door: Door) -> None:
    no_trigger = await door.start(door.dd.add_workflow(name="W", api_trigger=False))
    draft = await door.start(door.dd.add_workflow(name="W", published=False))
    assert "Expected trigger type TRIGGER_TYPE_API not found" in no_trigger.text
    assert "not published" in draft.text
    assert no_trigger.status_code == draft.status_code == 400
    assert (await door.start(UNKNOWN)).status_code == 404
    assert door.dd.executions == []


@pytest.mark.parametrize("body", [[], {"meta": []}, {"meta": {"payload": "x"}}, "text"])
async def test_a_body_of_the_wrong_shape_starts_nothing(door: Door, body: Any) -> None:
    workflow = door.dd.add_workflow(name="W")
    assert (await door.ask("POST", f"/api/v2/workflows/{workflow}/instances", body)).status_code == 400
    assert door.dd.executions == []


async def test_nobody_enters_without_the_right_keys(door: Door) -> None:
    path = f"{door.dd.url}/api/v2/workflows"
    wrong: list[tuple[dict[str, str], int, Any]] = [
        ({}, 403, "API key required"),
        ({"DD-API-KEY": door.dd.api_key}, 403, "Forbidden"),
        (door.keys | {"DD-API-KEY": "wrong"}, 403, "Forbidden"),
        (door.keys | {"DD-APPLICATION-KEY": "wrong"}, 403, "Forbidden"),
        ({"Authorization": "Bearer wrong"}, 401, "Unauthorized"),
    ]
    for headers, status, words in wrong:
        response = await door.http.get(path, headers=headers)
        assert (response.status_code, response.json()) == (status, {"errors": [words]})
    assert (await door.http.get(path, headers={"Authorization": f"Bearer {door.dd.access_token}"})).status_code == 200


async def test_the_requests_seen_hold_no_secret(door: Door) -> None:
    await door.start(door.dd.add_workflow(name="W", parameters=INPUT), {"input": "hunter2"})
    await door.ask("GET", "/nowhere?x=1")
    assert [(seen.method, seen.status) for seen in door.dd.requests] == [("POST", 200), ("GET", 404)]
    assert door.dd.requests[1].path == "/nowhere?x=1"
    assert not any(secret in repr(door.dd.requests) for secret in ("hunter2", door.dd.api_key, door.dd.app_key))


@pytest.mark.parametrize("query", ["page[size]=0", "page[size]=101", "page[number]=-1", "page[size]=x"])
async def test_pages_of_instances_have_limits(door: Door, query: str) -> None:
    workflow = door.dd.add_workflow(name="W")
    assert (await door.ask("GET", f"/api/v2/workflows/{workflow}/instances?{query}")).status_code == 400


async def test_pages_hold_ten_instances_and_fifty_workflows_by_default(door: Door) -> None:
    ids = [door.dd.add_workflow(name=f"W{number:02}") for number in range(51)]
    for _ in range(11):
        await door.start(ids[0])
    assert len((await door.ask("GET", f"/api/v2/workflows/{ids[0]}/instances")).json()["data"]) == 10
    assert len((await door.ask("GET", "/api/v2/workflows")).json()["data"]) == 50
    last = (await door.ask("GET", "/api/v2/workflows?sort=-name&limit=1&page=0")).json()["data"]
    assert last[0]["attributes"]["name"] == "W50"


# ------------------------------------------------------------------------------------------------------------ faults


async def test_faults_strike_as_often_as_told_and_only_where_told(door: Door) -> None:
    workflow = door.dd.add_workflow(name="W")
    door.dd.faults.from_json({"status": 503, "on": "execute", "times": 2, "headers": {"X-Test": "yes"}})
    assert (await door.ask("GET", "/api/v2/workflows")).status_code == 200
    answers = [await door.start(workflow) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["X-Test"] == "yes"
    assert len(door.dd.executions) == 1


async def test_an_odd_kind_and_missing_attributes_can_be_shown(door: Door) -> None:
    workflow = door.dd.add_workflow(name="W", step_seconds=100)
    instance = (await door.start(workflow)).json()["data"]["id"]
    door.dd.faults.kind, door.dd.faults.missing = "QUEUED", ("stepStateAssociations",)
    attributes = (await door.ask("GET", f"/api/v2/workflows/{workflow}/instances/{instance}")).json()["data"][
        "attributes"
    ]
    assert attributes["instanceStatus"] == {"detailsKind": "QUEUED", "displayName": "Queued"}
    assert "stepStateAssociations" not in attributes


def test_faults_travel_as_json() -> None:
    faults = Faults(status=429, headers={"Retry-After": "1"}, fail_after_accept="slow:2", missing=("outputs",), times=1)
    copy = Faults()
    copy.from_json(json.loads(json.dumps(faults.to_json())))
    assert copy == faults
    copy.clear()
    assert copy == Faults()


@pytest.mark.parametrize("values", [{"nonsense": 1}, {"fail_after_accept": "explode"}, {"status": 99}])
def test_a_fault_that_does_not_exist_is_refused_and_changes_nothing(values: dict[str, Any]) -> None:
    faults = Faults(delay=1)
    with pytest.raises(ValueError):
        faults.from_json(values)
    assert faults == Faults(delay=1)
