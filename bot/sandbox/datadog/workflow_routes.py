"""The routes that read and write workflows (Datadog API reference: Workflow Automation)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from bot.sandbox.datadog.answers import JSON_API, answer, invalid_uuid, page_counts, workflow_data, workflow_refusal
from bot.sandbox.datadog.workflows import StoredWorkflow, why_not_written

DEFAULT_LIMIT = 50
SORT_KEYS: dict[str, Callable[[StoredWorkflow], Any]] = {
    "name": lambda workflow: workflow.name,
    "createdAt": lambda workflow: workflow.created_at,
    "updatedAt": lambda workflow: workflow.updated_at,
}


class WorkflowRoutes:
    """List, create, get, change and delete the workflows in `workflows`, which the server shares."""

    def __init__(self, workflows: dict[str, StoredWorkflow]) -> None:
        self._workflows = workflows

    async def list_workflows(self, request: web.Request) -> web.Response:
        """One page, 0-based, without specs and without unpublished ones unless asked."""
        query = request.query
        page, limit = whole_number(query.get("page", "0")), whole_number(query.get("limit", str(DEFAULT_LIMIT)))
        if page is None or not limit:
            return workflow_refusal(400, "invalid page or limit")
        shown = [each for each in self._workflows.values() if _is_listed(each, query)]
        for key in reversed([key for key in query.get("sort", "").split(",") if key]):
            if key.lstrip("-") not in SORT_KEYS:
                return workflow_refusal(400, "invalid sort")
            shown.sort(key=SORT_KEYS[key.lstrip("-")], reverse=key.startswith("-"))
        with_spec = query.get("filter[includeSpecs]") == "true"
        data = [workflow_data(each, with_spec=with_spec) for each in shown[page * limit : (page + 1) * limit]]
        return answer(200, {"data": data, "meta": {"page": page_counts(len(self._workflows), len(shown))}}, JSON_API)

    async def create_workflow(self, request: web.Request) -> web.Response:
        """A new workflow. Recorded: without `published` it comes back published."""
        attributes = await _attributes(request)
        against = ["invalid body"] if attributes is None else why_not_written({"spec": {}, "name": ""} | attributes)
        if attributes is None or against:
            return workflow_refusal(400, *against)
        created = StoredWorkflow(
            id=str(uuid.uuid4()),
            name=attributes.get("name", ""),
            description=attributes.get("description", ""),
            published=attributes.get("published", True),
            spec=attributes["spec"],
            tags=attributes.get("tags", []),
        )
        self._workflows[created.id] = created
        return answer(201, {"data": workflow_data(created)}, JSON_API)

    async def get_workflow(self, request: web.Request) -> web.Response:
        """One workflow with its spec."""
        workflow = self._find(request)
        return answer(200, {"data": workflow_data(workflow)}, JSON_API)

    async def update_workflow(self, request: web.Request) -> web.Response:
        """Change what is named. Recorded: an id in the body that differs from the path is not minded."""
        workflow = self._find(request)
        attributes = await _attributes(request)
        against = ["invalid body"] if attributes is None else why_not_written(attributes)
        if attributes is None or against:
            return workflow_refusal(400, *against)
        workflow.change(attributes)
        return answer(200, {"data": workflow_data(workflow)}, JSON_API)

    async def delete_workflow(self, request: web.Request) -> web.Response:
        """Gone, with no body."""
        del self._workflows[self._find(request).id]
        return web.Response(status=204)

    def _find(self, request: web.Request) -> StoredWorkflow:
        workflow_id = request.match_info["workflow_id"]
        if not is_uuid(workflow_id):
            raise Answered(invalid_uuid())
        if workflow_id not in self._workflows:
            raise Answered(workflow_refusal(404, "workflow not found"))
        return self._workflows[workflow_id]


class Answered(Exception):
    """The answer is known, and the rest of the handler isn't needed."""

    def __init__(self, response: web.Response) -> None:
        super().__init__()
        self.response = response


def is_uuid(text: str) -> bool:
    """Whether this is a UUID as Datadog writes one."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def whole_number(text: str) -> int | None:
    """A number of a query, None if it isn't one."""
    return int(text) if text.isascii() and text.isdigit() else None


def _is_listed(workflow: StoredWorkflow, query: Mapping[str, str]) -> bool:
    if not workflow.published and query.get("filter[includeUnpublished]") != "true":
        return False
    wanted = query.get("filter[query]", "").lower()
    if ":" in wanted:
        return wanted in (tag.lower() for tag in workflow.tags)
    return wanted in workflow.name.lower()


async def _attributes(request: web.Request) -> dict[str, Any] | None:
    try:
        body = await request.json()
    except json.JSONDecodeError:
        return None
    data = body.get("data") if isinstance(body, dict) else None
    attributes = data.get("attributes") if isinstance(data, dict) and data.get("type") == "workflows" else None
    return attributes if isinstance(attributes, dict) else None
