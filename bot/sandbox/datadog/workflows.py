"""The workflows of the stand-in, and what it checks when one is written or started. No HTTP here."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

DESCRIPTION_LIMIT = 300  # characters, from a recorded answer

PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "STRING": str,
    "NUMBER": (int, float),
    "BOOLEAN": bool,
    "OBJECT": dict,
}


@dataclass
class StoredWorkflow:
    """One workflow and how its executions go."""

    id: str
    name: str
    description: str
    published: bool
    spec: dict[str, Any]
    tags: list[str]
    step_seconds: float = 0.5
    outcome: str = "SUCCEEDED"
    outputs: dict[str, Any] = field(default_factory=dict)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    spec_version_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """The declared inputs."""
        return list(self.spec.get("inputSchema", {}).get("parameters", []))

    @property
    def step_names(self) -> list[str]:
        """The steps in order."""
        return [step["name"] for step in self.spec["steps"]]

    def change(self, attributes: Mapping[str, Any]) -> None:
        """Take over what a PATCH names."""
        for key in ("name", "description", "published", "spec", "tags"):
            if key in attributes:
                setattr(self, key, attributes[key])
        if "spec" in attributes:
            self.spec_version_id = str(uuid.uuid4())
        self.updated_at = datetime.now(UTC)


def make_spec(parameters: list[dict[str, Any]], steps: list[str], *, api_trigger: bool) -> dict[str, Any]:
    """A spec as Datadog's API takes it: every step does nothing, one after the other."""
    trigger = "apiTrigger" if api_trigger else "workflowTrigger"
    spec: dict[str, Any] = {
        "triggers": [{trigger: {}, "startStepNames": steps[:1]}],
        "steps": [_step(name, steps[index + 1 : index + 2]) for index, name in enumerate(steps)],
    }
    if parameters:
        spec["inputSchema"] = {"parameters": parameters}
    return spec


def _step(name: str, following: list[str]) -> dict[str, Any]:
    edges = [{"nextStepName": each, "branchName": "main"} for each in following]
    return {"name": name, "actionId": "com.datadoghq.core.noop"} | ({"outboundEdges": edges} if edges else {})


def why_not_written(attributes: Mapping[str, Any]) -> list[str]:
    """What Datadog would say against this workflow, in its recorded words; empty if nothing."""
    against = []
    if len(attributes.get("description", "")) > DESCRIPTION_LIMIT:
        against.append(f"workflow description exceeds size limit of [{DESCRIPTION_LIMIT}] characters")
    if "spec" in attributes:
        spec = attributes["spec"] if isinstance(attributes["spec"], Mapping) else {}
        if not spec.get("steps"):
            against.append("spec is invalid")
        if not spec.get("triggers"):
            against.append("no trigger found. At least one trigger is required.")
    return against


def why_not_started(workflow: StoredWorkflow, payload: Mapping[str, Any]) -> str:
    """Why this execution is refused, empty if it isn't.

    The texts on triggers and on undeclared inputs are Datadog's own guidance for calling workflows over HTTP. Assumed:
    the words about publishing, that a missing input without a default is refused, and that a wrong type is. Values
    outside `allowedValues` are accepted, because nothing says that Datadog enforces those for API calls.
    """
    if not any("apiTrigger" in trigger for trigger in workflow.spec.get("triggers", [])):
        return "Expected trigger type TRIGGER_TYPE_API not found"
    if not workflow.published:
        return "workflow is not published"
    declared = {parameter["name"]: parameter for parameter in workflow.parameters}
    for name in payload:
        if name not in declared:
            return f'input parameter "{name}" not in workflow input schema'
    for name, parameter in declared.items():
        if name not in payload:
            if "defaultValue" not in parameter:
                return f'input parameter "{name}" is required'
        elif not _fits(payload[name], parameter["type"]):
            return f'input parameter "{name}" must be of type {parameter["type"]}'
    return ""


def _fits(value: Any, type_name: str) -> bool:
    item_type = type_name.removeprefix("ARRAY_")
    if item_type != type_name:
        return isinstance(value, list) and all(_fits(item, item_type) for item in value)
    if isinstance(value, bool):
        return type_name == "BOOLEAN"
    return isinstance(value, PYTHON_TYPES[type_name])
