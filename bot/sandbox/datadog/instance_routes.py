"""The routes that start, show and cancel instances (Datadog API reference: Workflow Automation)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bot.sandbox.datadog import answers
from bot.sandbox.datadog.answers import answer, refusal
from bot.sandbox.datadog.faults import Faults
from bot.sandbox.datadog.instance_page import page_of
from bot.sandbox.datadog.instances import StoredInstance
from bot.sandbox.datadog.workflow_routes import Answered, is_uuid, whole_number
from bot.sandbox.datadog.workflows import StoredWorkflow, why_not_started

DEFAULT_PAGE_SIZE = 10
LARGEST_PAGE_SIZE = 100


class InstanceRoutes:
    """Start, list, get and cancel. `accepted` is called for every execution that really happens."""

    def __init__(
        self,
        workflows: dict[str, StoredWorkflow],
        faults: Faults,
        clock: Callable[[], float],
        cancel_seconds: float,
        accepted: Callable[[StoredInstance], None],
    ) -> None:
        self.url = ""  # known once the server listens
        self._workflows, self._faults, self._clock, self._accepted = workflows, faults, clock, accepted
        self._cancel_seconds = cancel_seconds
        self._instances: dict[str, StoredInstance] = {}

    async def execute(self, request: web.Request) -> web.Response:
        """Start one, after every check. The answer's status is 200, although Datadog's text says "Created"."""
        workflow = self._find_workflow(request)
        payload = await _payload(request)
        why_not = why_not_started(workflow, payload)
        if why_not:
            return refusal(400, why_not)  # assumed: status and shape; the texts are Datadog's
        instance = StoredInstance(workflow, payload, self._clock(), self._cancel_seconds)
        self._instances[instance.id] = instance
        self._accepted(instance)
        return answer(200, answers.created_instance(instance))

    async def list_instances(self, request: web.Request) -> web.Response:
        """One page, 0-based, newest first, with counters."""
        workflow = self._find_workflow(request)
        size = whole_number(request.query.get("page[size]", str(DEFAULT_PAGE_SIZE)))
        number = whole_number(request.query.get("page[number]", "0"))
        if not size or size > LARGEST_PAGE_SIZE or number is None:
            return refusal(400, "value is invalid for field page", "INVALID_FIELD_VALUE")  # assumed: the words
        now = self._clock()
        # The latest started is the last in the dict, also where two started in the same tick of the clock.
        every = [each for each in reversed(self._instances.values()) if each.workflow.id == workflow.id]
        shown = every[number * size : (number + 1) * size]
        data = [answers.listed_instance(each, now, self._faults.kind) for each in shown]
        return answer(200, {"data": data, "meta": answers.instance_counts(every, now)})

    async def get_instance(self, request: web.Request) -> web.Response:
        """One instance; the first GETs may not see it yet."""
        self._find_workflow(request)
        instance = self._find_instance(request)
        instance.gets += 1
        if instance.gets <= self._faults.invisible_gets:
            raise Answered(_not_found(instance.id))
        body = answers.whole_instance(instance, self._clock(), self.url, self._faults.kind, self._faults.missing)
        return answer(200, body)

    async def cancel(self, request: web.Request) -> web.Response:
        """Recorded: the answer is `{}`, and the end comes a little later. An unknown workflow isn't told apart."""
        _check_uuids(request)
        self._find_instance(request).cancel(self._clock())
        return answer(200, {})

    async def page(self, request: web.Request) -> web.Response:
        """For people: where "Open in Datadog" leads."""
        workflow = self._workflows.get(request.match_info["workflow_id"])
        instance_id = request.query.get("instance", "")
        return page_of(workflow, self._instances.values(), instance_id, self._clock())

    def _find_workflow(self, request: web.Request) -> StoredWorkflow:
        _check_uuids(request)
        workflow = self._workflows.get(request.match_info["workflow_id"])
        if workflow is None:
            raise Answered(refusal(404, "workflow not found", "WORKFLOW_NOT_FOUND"))
        return workflow

    def _find_instance(self, request: web.Request) -> StoredInstance:
        instance_id = request.match_info["instance_id"]
        instance = self._instances.get(instance_id)
        if instance is None or instance.workflow.id != request.match_info["workflow_id"]:
            raise Answered(_not_found(instance_id))
        return instance


def _not_found(instance_id: str) -> web.Response:
    return refusal(404, f"instance {instance_id} not found", "INSTANCE_NOT_FOUND")


def _check_uuids(request: web.Request) -> None:
    for field in ("workflow_id", "instance_id"):
        if not is_uuid(request.match_info.get(field, "00000000-0000-0000-0000-000000000000")):
            detail = f"value <no value> is invalid for field {field}"  # recorded for workflow_id, assumed for the other
            raise Answered(refusal(400, detail, "INVALID_FIELD_VALUE"))


async def _payload(request: web.Request) -> dict[str, Any]:
    """The inputs in `{"meta": {"payload": {…}}}`; `meta` and `payload` may be left out."""
    invalid = Answered(refusal(400, "invalid request body"))  # assumed: the words
    if request.content_type != answers.JSON:
        raise invalid
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise invalid from None
    payload = body
    for key in ("meta", "payload"):
        if not isinstance(payload, dict):
            raise invalid
        payload = payload.get(key, {})
    if not isinstance(payload, dict):
        raise invalid
    return payload
