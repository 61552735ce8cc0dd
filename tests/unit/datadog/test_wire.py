from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.datadog import wire
from bot.datadog.sites import find_site
from bot.domain.workflows import AllowedValue, InputType, Instance, Step
from tests.datadog_recordings import every_recording, recording

SITE = find_site("datadoghq.com")


def instance(**attributes: Any) -> Instance:
    return wire.read_instance({"data": {"id": "i-1", "attributes": attributes}}, SITE, "w-1")


def status(kind: str) -> dict[str, str]:
    return {"detailsKind": kind, "displayName": kind.title()}


def workflow_answer(**spec: Any) -> dict[str, Any]:
    return {"data": {"id": "w-1", "type": "workflows", "attributes": {"name": "W", "published": True, "spec": spec}}}


@pytest.mark.parametrize("name", every_recording())
def test_every_recorded_answer_can_be_read(name: str) -> None:
    exchange = recording(name)
    request, body = exchange["request"], exchange["response"]["body"]
    if exchange["response"]["status"] >= 400 or not body:
        return
    answer = wire.decode(json.dumps(body).encode())
    if "/instances" not in request["path"]:
        if isinstance(body["data"], list):
            page = wire.read_workflows(answer)
            assert len(page.workflows) == len(body["data"])
            assert page.total == body["meta"]["page"]["totalFilteredCount"]
            workflows = page.workflows
        else:
            workflows = (wire.read_workflow(answer),)
            assert len(workflows[0].definition_hash) == 64
        assert all(workflow.id and workflow.name and workflow.updated_at for workflow in workflows)
    elif request["method"] == "POST":
        assert wire.read_started(answer) == body["data"]["id"]
    elif isinstance(body["data"], list):
        listed = wire.read_instances(answer, SITE, "w-1")
        assert listed.total == len(listed.instances) == len(body["data"])
    else:
        assert wire.read_instance(answer, SITE, "w-1").ended


def test_a_recorded_instance_keeps_its_times_steps_and_link() -> None:
    body = recording("get_a_workflow_instance_returns_ok_response")["response"]["body"]
    found = wire.read_instance(body, SITE, "ccf73164-1998-4785-a7a3-8d06c7e5f558")
    assert found.started_at == datetime(2024, 7, 24, 18, 38, 31, 326418, UTC)
    assert found.ended_at == datetime(2024, 7, 24, 18, 39, 58, 219283, UTC)
    assert found.steps == (Step("Sleep", "CANCELED"),)
    assert (found.kind, found.display_name, found.source_api) == ("CANCELED", "Canceled", False)
    assert found.url == body["data"]["attributes"]["sourceForTemplating"]["url"]
    assert found.acting_user == "e39535f4-306b-11ee-9383-6ac9a4415a29"
    assert "example" not in repr(found).lower()


def test_a_recorded_list_tells_api_starts_from_others() -> None:
    body = recording("list_workflow_instances_returns_ok_response")["response"]["body"]
    found = wire.read_instances(body, SITE, "w-1").instances
    assert [(each.source_api, each.ended) for each in found] == [(True, False), (False, True)]


def test_a_recorded_workflow_keeps_its_inputs() -> None:
    name = "update_an_existing_workflow_returns_successfully_updated_a_workflow_response"
    found = wire.read_workflow(recording(name)["response"]["body"])
    (parameter,) = found.parameters
    assert (parameter.name, parameter.type, parameter.default) == ("input", InputType.STRING, "default")
    assert parameter.has_default
    assert not parameter.required
    assert found.tags == ("foo:bar", "service:monitoring", "team:infra")
    assert not found.has_api_trigger


@pytest.mark.parametrize(
    ("kind", "end", "ended", "succeeded", "unfamiliar"),
    [
        ("IN_PROGRESS", None, False, False, False),
        ("SUCCEEDED", None, True, True, False),
        ("STEP_ERROR", None, True, False, False),
        ("INSTANCE_ERROR", None, True, False, False),
        ("CANCELED", None, True, False, False),
        ("QUEUED_SOMEHOW", None, False, False, True),
        ("SUCCEEDED_MOSTLY", "2026-01-01T00:00:00Z", True, False, False),
        ("", None, False, False, True),
    ],
)
def test_only_a_known_kind_counts_as_success(
    kind: str, end: str | None, ended: bool, succeeded: bool, unfamiliar: bool
) -> None:
    found = instance(instanceStatus=status(kind), endTimestamp=end)
    assert (found.ended, found.succeeded, found.unfamiliar) == (ended, succeeded, unfamiliar)


def test_a_link_to_a_foreign_host_is_replaced() -> None:
    for url in (
        "https://evil.example/workflow/w-1?instance=i-1",
        "https://app.datadoghq.com@evil.example/x",
        "https://app.datadoghq.com.evil.example/",
        "javascript:alert(1)",
        "https://[bad",
        7,
    ):
        found = instance(sourceForTemplating={"url": url})
        assert found.url == "https://app.datadoghq.com/workflow/w-1?instance=i-1"


@pytest.mark.parametrize("detail", ["it broke", {"message": "it broke"}, {"detail": "it broke"}])
def test_an_instance_error_is_a_text_or_an_object(detail: object) -> None:
    assert instance(errorDetail=detail).error_detail == "it broke"


def test_a_bare_instance_is_read_with_empty_values() -> None:
    found = wire.read_instance({"data": {"id": "i-1"}}, SITE, "w-1")
    assert (found.kind, found.started_at, found.steps, found.outputs, found.source_api) == ("", None, (), {}, False)


def test_strange_shapes_inside_an_instance_do_no_harm() -> None:
    found = instance(
        instanceStatus=[], source="x", stepStateAssociations=[1, {"stepName": 3}], outputs=None, startTimestamp=5
    )
    assert found.steps == (Step("", ""),)
    assert found.started_at is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"a": NaN}', b"[" * 100_000, b"\xff"])
def test_what_is_no_json_object_is_unreadable(body: bytes) -> None:
    with pytest.raises(wire.UnreadableAnswer):
        wire.decode(body)


@pytest.mark.parametrize("data", [None, {}, {"id": ""}, {"id": 7}, {"id": "a\nb"}, {"id": "x" * 300}, []])
def test_a_start_without_an_id_is_unreadable(data: object) -> None:
    with pytest.raises(wire.UnreadableAnswer):
        wire.read_started({"data": data})


def test_a_list_that_is_none_is_unreadable_and_not_empty() -> None:
    for answer in ({}, {"data": None}, {"data": {"id": "w-1"}}):
        with pytest.raises(wire.UnreadableAnswer):
            wire.read_workflows(answer)


def test_an_instance_belongs_to_whoever_started_it() -> None:
    assert instance(source={"api": {"actingUser": {"userUuid": "u-1"}}}).acting_user == "u-1"
    assert instance(source={"monitor": {}}).acting_user == ""


def test_the_inputs_are_wrapped_for_a_start() -> None:
    assert json.loads(wire.execution_request({"a": [1, "ü"]})) == {"meta": {"payload": {"a": [1, "ü"]}}}
    with pytest.raises(ValueError, match="can't be written") as error:
        wire.execution_request({"a": float("nan"), "b": "hunter2"})
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("items", "read"),
    [
        (["a", "b"], (AllowedValue("a", "a"), AllowedValue("b", "b"))),
        ([1, True, 2.5], (AllowedValue(1, "1"), AllowedValue(True, "true"), AllowedValue(2.5, "2.5"))),
        ([{"label": "One", "value": 1}, {"value": 2}], (AllowedValue(1, "One"), AllowedValue(2, "2"))),
        (
            [{"label": "only"}, {"name": "Named", "value": "n"}],
            (AllowedValue("only", "only"), AllowedValue("n", "Named")),
        ),
        ([{"a": 1}], (AllowedValue({"a": 1}, '{"a": 1}'),)),
        (None, ()),
        ("text", ()),
    ],
)
def test_allowed_values_are_plain_or_labelled(items: object, read: tuple[AllowedValue, ...]) -> None:
    parameters = [{"name": "p", "type": "STRING", "allowedValues": items}]
    assert (
        wire.read_workflow(workflow_answer(inputSchema={"parameters": parameters})).parameters[0].allowed_values == read
    )


def test_all_eight_types_are_known_and_a_ninth_is_reported() -> None:
    parameters = [{"name": each.lower(), "type": each} for each in InputType] + [
        {"name": "when", "type": "DATE"},
        {"type": "X"},
    ]
    found = wire.read_workflow(workflow_answer(inputSchema={"parameters": parameters}))
    assert [each.type for each in found.parameters] == list(InputType)
    assert found.unsupported_parameters == ("when",)


def test_a_falsy_default_is_a_default_and_a_null_one_is_not() -> None:
    defaults: list[Any] = ["", 0, False, [], None]
    parameters = [{"name": repr(value), "type": "STRING", "defaultValue": value} for value in defaults]
    found = wire.read_workflow(workflow_answer(inputSchema={"parameters": parameters})).parameters
    assert [each.required for each in found] == [False, False, False, False, True]


def test_an_api_trigger_is_found_among_others() -> None:
    assert wire.read_workflow(workflow_answer(triggers=[{"monitorTrigger": {}}, {"apiTrigger": {}}])).has_api_trigger
    assert not wire.read_workflow(workflow_answer(triggers=[{"workflowTrigger": {}}, "apiTrigger"])).has_api_trigger


def test_a_workflow_listed_without_its_spec_has_no_hash() -> None:
    answer = {"data": [{"id": "w-1", "attributes": {"name": "W", "spec": None}}]}
    (found,) = wire.read_workflows(answer).workflows
    assert (found.definition_hash, found.parameters, found.has_api_trigger) == ("", (), False)


def test_the_hash_minds_everything_but_the_order_of_keys() -> None:
    spec = {
        "steps": [{"name": "a", "actionId": "x"}],
        "inputSchema": {"parameters": []},
        "triggers": [{"apiTrigger": {}}],
    }
    same = dict(reversed(spec.items()))
    assert wire.definition_hash(spec) == wire.definition_hash(same)
    others: list[dict[str, Any]] = [
        {},
        spec | {"handle": "h"},
        spec | {"steps": []},
        spec | {"inputSchema": {"parameters": [1]}},
    ]
    assert len({wire.definition_hash(each) for each in [spec, *others]}) == 5


def test_numbers_and_texts_without_canonical_form_still_have_a_stable_hash() -> None:
    for strange in (2**60, "\ud800"):
        assert wire.definition_hash({"a": strange, "b": 1}) == wire.definition_hash({"b": 1, "a": strange})
