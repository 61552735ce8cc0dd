"""What Datadog's workflows and their instances are to the bot: nouns only.

No JSON key and no URL is built here (`datadog/wire.py` and `datadog/sites.py` do that), and no rule about people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

IN_PROGRESS = "IN_PROGRESS"
SUCCEEDED = "SUCCEEDED"
CANCELED = "CANCELED"

FAILURES = frozenset({"INSTANCE_ERROR", "STEP_ERROR", CANCELED})


class InputType(StrEnum):
    """The types a workflow's input can have (Datadog API reference: Workflow Automation, InputSchemaParametersType)."""

    STRING = "STRING"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    OBJECT = "OBJECT"
    ARRAY_STRING = "ARRAY_STRING"
    ARRAY_NUMBER = "ARRAY_NUMBER"
    ARRAY_BOOLEAN = "ARRAY_BOOLEAN"
    ARRAY_OBJECT = "ARRAY_OBJECT"


class AllowedValue(NamedTuple):
    """One value an input may take, and the words Datadog shows for it."""

    value: Any
    label: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input as the workflow declares it. Without a default it is required: there is no other mark for that.

    `allowed_values` empty means anything of the type; `allow_extra_values` permits values beside the listed ones.
    """

    name: str
    type: InputType
    label: str = ""
    description: str = ""
    has_default: bool = False
    default: Any = None
    allowed_values: tuple[AllowedValue, ...] = ()
    allow_extra_values: bool = False

    @property
    def required(self) -> bool:
        """Whether an execution must bring a value."""
        return not self.has_default


@dataclass(frozen=True, slots=True)
class WorkflowDefinition:
    """A workflow as it stands in Datadog.

    `definition_hash` changes whenever anything in the workflow's spec does; it is empty where Datadog left the spec out
    of its answer, and then nothing is known of triggers and parameters either. `unsupported_parameters` names the
    inputs of a type this bot doesn't know, which are not in `parameters`.
    """

    id: str
    name: str
    description: str
    published: bool
    has_api_trigger: bool
    parameters: tuple[Parameter, ...]
    tags: tuple[str, ...]
    updated_at: datetime | None
    definition_hash: str
    unsupported_parameters: tuple[str, ...] = ()

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Why it can't be run by API (Datadog docs: actions/workflows/trigger); empty where it can."""
        found = [] if self.published else ["not published"]
        if not self.has_api_trigger:
            found.append("no API trigger")
        found += [f"input {name} is of a type the bot doesn't know" for name in self.unsupported_parameters]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class WorkflowPage:
    """One page of a list of workflows, and how many match in all."""

    workflows: tuple[WorkflowDefinition, ...]
    total: int


class Step(NamedTuple):
    """A step that the instance has reached, and its state in Datadog's words."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Instance:
    """One execution of a workflow, as Datadog shows it.

    `kind` is Datadog's status as an open set of words, `display_name` the same for people. `acting_user` is the id of
    the Datadog user whose key or hand started it. `outputs` may be partial, and `trigger` may be empty; both can hold
    what should not be logged, so `repr` hides them.
    """

    id: str
    kind: str
    display_name: str
    started_at: datetime | None
    ended_at: datetime | None
    steps: tuple[Step, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    error_detail: str = field(default="", repr=False)
    url: str = ""
    source_api: bool = False
    acting_user: str = ""
    trigger: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether it ended well. A kind that is not known never counts as success."""
        return self.kind == SUCCEEDED

    @property
    def ended(self) -> bool:
        """Whether it is over. A kind that is not known is over once it has an end time."""
        if self.kind == IN_PROGRESS:
            return False
        return self.succeeded or self.kind in FAILURES or self.ended_at is not None

    @property
    def unfamiliar(self) -> bool:
        """Whether the kind is not known and no end time is set: look again for a bounded time, then call it over.

        Datadog documents no list of kinds; a queued execution may have one of its own.
        """
        return self.kind != IN_PROGRESS and not self.ended


@dataclass(frozen=True, slots=True)
class InstancePage:
    """One page of a workflow's instances, newest first, and how many there are in all.

    Listed instances carry no steps, outputs or url.
    """

    instances: tuple[Instance, ...]
    total: int
