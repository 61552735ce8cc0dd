"""The stand-in's answers, shaped like recorded ones: data in, JSON objects and responses out.

Instance routes answer `application/json`, workflow routes `application/vnd.api+json` with a line end; errors are
objects with a code on the former and without on the latter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from bot.sandbox.datadog.instances import DISPLAY_NAMES, StoredInstance, stamp
from bot.sandbox.datadog.workflows import StoredWorkflow

JSON = "application/json"
JSON_API = "application/vnd.api+json"
USER = {"userEmail": "user@example.com", "userName": "Example User", "userUuid": "e39535f4-306b-11ee-9383-6ac9a4415a29"}
FAILURES = ("INSTANCE_ERROR", "STEP_ERROR")


def answer(status: int, body: Any, content_type: str = JSON) -> web.Response:
    """A JSON response with exactly this content type, which aiohttp would else give a charset."""
    raw = json.dumps(body).encode() + (b"\n" if content_type == JSON_API else b"")
    return web.Response(status=status, body=raw, headers={"Content-Type": content_type})


def refusal(status: int, detail: str, code: str = "") -> web.Response:
    """An error of an instance route."""
    return answer(status, {"errors": [({"code": code} if code else {}) | {"detail": detail}]})


def workflow_refusal(status: int, *details: str) -> web.Response:
    """An error of a workflow route."""
    return answer(status, {"errors": [{"detail": detail} for detail in details]}, JSON_API)


def invalid_uuid() -> web.Response:
    """Recorded: a workflow route with an id that is no UUID."""
    detail = 'invalid parameter "workflowId" in "path"; expected type "uuid"'
    return answer(400, {"errors": [{"status": "400", "title": "Invalid Parameter", "detail": detail}]}, JSON_API)


def workflow_data(workflow: StoredWorkflow, *, with_spec: bool = True) -> dict[str, Any]:
    """A workflow as the CRUD routes and the list show it."""
    user = {"data": {"id": USER["userUuid"], "type": "users"}}
    return {
        "id": workflow.id,
        "type": "workflows",
        "attributes": {
            "createdAt": stamp(workflow.created_at.timestamp()),
            "description": workflow.description,
            "name": workflow.name,
            "published": workflow.published,
            "spec": workflow.spec if with_spec else None,
            "tags": workflow.tags,
            "updatedAt": stamp(workflow.updated_at.timestamp()),
        },
        "relationships": {"creator": user, "owner": user},
    }


def created_instance(instance: StoredInstance) -> dict[str, Any]:
    """The answer to a start. It holds no status."""
    data = {"attributes": {}, "id": instance.id, "type": "instances"}
    return {"data": data, "meta": {"workflowId": instance.workflow.id}}


def listed_instance(instance: StoredInstance, now: float, kind: str) -> dict[str, Any]:
    """An instance as lists show it; `kind` replaces the status of an unfinished one."""
    ended = instance.ended_at(now)
    shown = instance.kind(now)
    if kind and ended is None:
        shown = kind
    attributes: dict[str, Any] = {
        "instanceStatus": {"detailsKind": shown, "displayName": DISPLAY_NAMES.get(shown, shown.capitalize())},
        "source": {"api": {"actingUser": USER}},
        "startTimestamp": stamp(instance.started),
    }
    if ended is not None:
        attributes["endTimestamp"] = stamp(ended)
    return {"attributes": attributes, "id": instance.id, "type": "instances"}


def whole_instance(instance: StoredInstance, now: float, url: str, kind: str, missing: Sequence[str]) -> dict[str, Any]:
    """An instance with steps and outputs, and the spec and workflow that ran."""
    data = listed_instance(instance, now, kind)
    attributes = data["attributes"] | _details(instance, now, url)
    for name in missing:
        attributes.pop(name, None)
    workflow, version = instance.workflow, instance.spec_version_id
    data["attributes"] = attributes
    data["relationships"] = {
        "specVersion": {"data": {"id": version, "type": "spec_versions"}},
        "workflow": {"data": {"id": workflow.id, "type": "workflows"}},
    }
    created = stamp(workflow.created_at.timestamp())
    version_attributes = {"createdAt": created, "spec": instance.spec, "workflowId": workflow.id}
    workflow_attributes = {
        "createdAt": created,
        "creationSource": "workflows_ui",
        "name": workflow.name,
        "specVersionId": workflow.spec_version_id,
        "updatedAt": stamp(workflow.updated_at.timestamp()),
    }
    return {
        "data": data,
        "included": [
            {"attributes": version_attributes, "id": version, "type": "spec_versions"},
            {"attributes": workflow_attributes, "id": workflow.id, "type": "workflows"},
        ],
        "meta": {"outputsTooBig": False, "sourceTooBig": False, "triggerTooBig": False},
    }


def _details(instance: StoredInstance, now: float, url: str) -> dict[str, Any]:
    kind = instance.kind(now)
    details: dict[str, Any] = {
        "outputs": instance.outputs if kind == "SUCCEEDED" else {},
        "sourceForTemplating": {
            "initiator": {"email": USER["userEmail"], "id": USER["userUuid"], "name": USER["userName"]},
            "name": instance.workflow.name,
            "type": "api",
            "url": f"{url}/workflow/{instance.workflow.id}?instance={instance.id}",
        },
        "stepStateAssociations": [{"stepName": name, "stepState": state} for name, state in instance.step_states(now)],
        "trigger": {},
    }
    if kind in FAILURES:
        details["errorDetail"] = f"Step {instance.steps[-1]} failed" if instance.steps else "The instance failed"
    return details


def instance_counts(instances: Sequence[StoredInstance], now: float) -> dict[str, Any]:
    """The counters beside a list of instances."""
    kinds = [instance.kind(now) for instance in instances]
    return {
        "canceledCount": kinds.count("CANCELED"),
        "failedCount": sum(kind in FAILURES for kind in kinds),
        "page": page_counts(len(kinds), len(kinds)),
        "succeededCount": kinds.count("SUCCEEDED"),
    }


def page_counts(total: int, filtered: int) -> dict[str, int]:
    """The counts both lists share."""
    return {"totalCount": total, "totalFilteredCount": filtered}
