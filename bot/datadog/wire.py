"""Datadog's JSON keys, turned into typed values and back. Pure: no request is made here and no clock is read.

Nothing outside this room may know these keys. What is missing in an answer becomes an empty value; what is needed and
missing raises UnreadableAnswer, whose message never quotes the answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import urlsplit

import rfc8785

from bot.datadog.sites import Site, run_url
from bot.domain.workflows import (
    AllowedValue,
    InputType,
    Instance,
    InstancePage,
    Parameter,
    Step,
    WorkflowDefinition,
    WorkflowPage,
)

ID_LIMIT = 200  # characters; Datadog's ids are UUIDs of 36


class UnreadableAnswer(ValueError):
    """Datadog's answer is not what its API promises."""


def decode(body: bytes) -> Mapping[str, Any]:
    """The JSON object in an answer."""
    try:
        parsed = json.loads(body, parse_constant=_no_such_number)
    except (ValueError, RecursionError):
        raise UnreadableAnswer("The answer is not JSON.") from None
    if not isinstance(parsed, Mapping):
        raise UnreadableAnswer("The answer is not a JSON object.")
    return parsed


def execution_request(payload: Mapping[str, Any]) -> bytes:
    """The body that starts a workflow with these inputs. Raises ValueError if they can't be written as JSON."""
    try:
        return json.dumps({"meta": {"payload": dict(payload)}}, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise ValueError("The inputs can't be written as JSON.") from None


def read_started(answer: Mapping[str, Any]) -> str:
    """The id of the instance that was just created."""
    return _id(_mapping(answer.get("data")))


def read_instance(answer: Mapping[str, Any], site: Site, workflow_id: str) -> Instance:
    """One instance with its steps and outputs."""
    return _instance(_mapping(answer.get("data")), site, workflow_id)


def read_instances(answer: Mapping[str, Any], site: Site, workflow_id: str) -> InstancePage:
    """One page of instances."""
    found = tuple(_instance(item, site, workflow_id) for item in _required_list(answer.get("data")))
    return InstancePage(found, _total(answer, len(found)))


def read_workflow(answer: Mapping[str, Any]) -> WorkflowDefinition:
    """One workflow."""
    return _workflow(_mapping(answer.get("data")))


def read_workflows(answer: Mapping[str, Any]) -> WorkflowPage:
    """One page of workflows."""
    found = tuple(_workflow(item) for item in _required_list(answer.get("data")))
    return WorkflowPage(found, _total(answer, len(found)))


def definition_hash(spec: Mapping[str, Any]) -> str:
    """SHA-256 of the whole spec in canonical JSON: the order of keys doesn't matter, and everything else does."""
    try:
        canonical = rfc8785.dumps(dict(spec))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        # Integers beyond 2^53 and lone surrogates have no canonical form; any stable form serves a comparison.
        canonical = json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(canonical).hexdigest()


def _instance(data: Mapping[str, Any], site: Site, workflow_id: str) -> Instance:
    instance_id, attributes = _id(data), _mapping(data.get("attributes"))
    status, source = _mapping(attributes.get("instanceStatus")), _mapping(attributes.get("source"))
    kind = _text(status.get("detailsKind"))
    return Instance(
        id=instance_id,
        kind=kind,
        display_name=_text(status.get("displayName")) or kind,
        started_at=_time(attributes.get("startTimestamp")),
        ended_at=_time(attributes.get("endTimestamp")),
        steps=tuple(
            Step(_text(step.get("stepName")), _text(step.get("stepState")))
            for step in _items(attributes.get("stepStateAssociations"))
        ),
        outputs=_mapping(attributes.get("outputs")),
        error_detail=_detail(attributes.get("errorDetail")),
        url=_address(attributes, site) or run_url(site, workflow_id, instance_id),
        source_api="api" in source,
        acting_user=_acting_user(source),
        trigger=_mapping(attributes.get("trigger")),
    )


def _acting_user(source: Mapping[str, Any]) -> str:
    """Only the id: name and e-mail come too, and are nobody's business here."""
    users = (_mapping(_mapping(origin).get("actingUser")) for origin in source.values())
    return next((_text(user["userUuid"]) for user in users if "userUuid" in user), "")


def _address(attributes: Mapping[str, Any], site: Site) -> str:
    """Datadog's own link, if it leads to the site's own pages and nowhere else."""
    url = _text(_mapping(attributes.get("sourceForTemplating")).get("url"))
    return url if url.startswith(f"{site.ui_url}/") and _host(url) == _host(site.ui_url) else ""


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _workflow(data: Mapping[str, Any]) -> WorkflowDefinition:
    attributes = _mapping(data.get("attributes"))
    spec = attributes.get("spec")
    known = isinstance(spec, Mapping)
    spec = _mapping(spec)
    declared = [item for item in _items(_mapping(spec.get("inputSchema")).get("parameters")) if item.get("name")]
    return WorkflowDefinition(
        id=_id(data),
        name=_text(attributes.get("name")),
        description=_text(attributes.get("description")),
        published=attributes.get("published") is True,
        has_api_trigger=any("apiTrigger" in trigger for trigger in _items(spec.get("triggers"))),
        parameters=tuple(_parameter(item) for item in declared if _has_known_type(item)),
        tags=tuple(tag for tag in _list(attributes.get("tags")) if isinstance(tag, str)),
        updated_at=_time(attributes.get("updatedAt")),
        definition_hash=definition_hash(spec) if known else "",
        unsupported_parameters=tuple(_text(item["name"]) for item in declared if not _has_known_type(item)),
    )


def _has_known_type(item: Mapping[str, Any]) -> bool:
    return _text(item.get("type")) in InputType.__members__


def _parameter(item: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=_text(item["name"]),
        type=InputType(item["type"]),
        label=_text(item.get("label")),
        description=_text(item.get("description")),
        # A null default is how some editors write "no default": it can't be told from a real null, and asking is safer.
        has_default=item.get("defaultValue") is not None,
        default=item.get("defaultValue"),
        allowed_values=tuple(_allowed(value) for value in _list(item.get("allowedValues"))),
        allow_extra_values=item.get("allowExtraValues") is True,
    )


def _allowed(item: Any) -> AllowedValue:
    """Datadog doesn't describe these: plain values are met, and objects that hold a value and its label."""
    if isinstance(item, Mapping) and ("value" in item or "label" in item):
        value = item.get("value", item.get("label"))
        label = next((item[key] for key in ("label", "name", "displayName") if item.get(key)), None)
        return AllowedValue(value, _label(value if label is None else label))
    return AllowedValue(item, _label(item))


def _label(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _detail(value: Any) -> str:
    """An instance's error, which is a text or an object that holds one."""
    if isinstance(value, Mapping):
        return next((_text(value[key]) for key in ("message", "detail", "title", "error") if value.get(key)), "")
    return _text(value)


def _id(data: Mapping[str, Any]) -> str:
    value = data.get("id")
    if not isinstance(value, str) or not value or len(value) > ID_LIMIT or not value.isprintable():
        raise UnreadableAnswer("The answer has no id.")
    return value


def _total(answer: Mapping[str, Any], at_least: int) -> int:
    page = _mapping(_mapping(answer.get("meta")).get("page"))
    counts = (page.get(key) for key in ("totalFilteredCount", "totalCount"))
    return next((count for count in counts if isinstance(count, int) and not isinstance(count, bool)), at_least)


def _time(value: Any) -> datetime | None:
    try:
        when = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _items(value: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in _list(value) if isinstance(item, Mapping))


def _required_list(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise UnreadableAnswer("The answer holds no list.")
    return list(_items(value))


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
