"""Datadog's Workflow Automation API (v2) for one organisation: its routes and its headers.

Nothing is repeated here: a start must happen at most once, and whoever calls decides about everything else. JSON keys
are `wire.py`'s, connections `connections.py`'s; what each failure is called is drawn in `failures.py`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import httpx

from bot.datadog import wire
from bot.datadog.connections import read_body, surely_not_sent
from bot.datadog.credentials import Credentials
from bot.datadog.failures import lost_words, raise_for_status
from bot.datadog.sites import Site
from bot.domain.errors import DatadogError, DatadogForbidden, DatadogRefused, DatadogUnreachable, OutcomeUnknown
from bot.domain.workflows import Instance, InstancePage, WorkflowDefinition, WorkflowPage
from bot.use_cases.telemetry import Telemetry

T = TypeVar("T")

SHORTEST_HIDDEN = 4  # characters; hiding shorter values would leave holes in every word


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """What Datadog says about the keys: whether the API key is valid, and whether the pair is.

    `date` is the clock of its answer, as the header gives it; empty where it said no.
    """

    api_key: bool
    pair: bool
    date: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: httpx.Headers
    body: bytes


class Datadog:
    """One Datadog organisation. The pool `http` (see `open_http`) is shared and not closed here.

    `base_url` is the site's `api_url`, or a stand-in's. `total_timeout` in seconds bounds every call, also one whose
    answer trickles in. Every method raises the errors drawn in `failures.py`.
    """

    def __init__(
        self,
        credentials: Credentials,
        base_url: str,
        http: httpx.AsyncClient,
        site: Site,
        *,
        total_timeout: float = 25,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.site = site
        self._credentials = credentials
        self._base_url = base_url.rstrip("/")
        self._http = http
        self._total_timeout = total_timeout
        self._telemetry = telemetry or Telemetry()

    def __repr__(self) -> str:
        return f"Datadog({self.site.name!r})"

    async def execute(self, workflow_id: str, payload: Mapping[str, Any]) -> str:
        """Start the workflow once and return the instance's id. After OutcomeUnknown it may be running.

        Datadog API reference: Execute a workflow. There is no idempotency key: never call this again by itself after
        OutcomeUnknown.
        """
        path = _path("workflows", workflow_id, "instances")
        try:
            content = wire.execution_request(payload)
        except ValueError as error:
            raise DatadogRefused(f"{error} Nothing was started.") from None
        hidden = [text for text in _texts(payload) if text not in payload]
        with self._telemetry.call("datadog", "execute"):
            answer = await self._send("POST", path, OutcomeUnknown, content=content)
            self._check(answer, OutcomeUnknown, "workflows_run", hidden)
            return _readable(wire.read_started, answer, OutcomeUnknown)

    def execute_url(self, workflow_id: str) -> str:
        """Where a start of the workflow is sent."""
        return f"{self._base_url}{_path('workflows', workflow_id, 'instances')}"

    async def get_instance(self, workflow_id: str, instance_id: str) -> Instance:
        """One instance with its steps. 404 in the first seconds after a start means "not visible yet"."""
        answer = await self._ask("get_instance", "GET", _path("workflows", workflow_id, "instances", instance_id))
        return _readable(lambda body: wire.read_instance(body, self.site, workflow_id), answer, DatadogUnreachable)

    async def list_instances(self, workflow_id: str, page_size: int = 10, page_number: int = 0) -> InstancePage:
        """A page of instances, newest first. `page_size` is at most 100, `page_number` starts at 0."""
        query = {"page[size]": page_size, "page[number]": page_number}
        answer = await self._ask("list_instances", "GET", _path("workflows", workflow_id, "instances"), query)
        return _readable(lambda body: wire.read_instances(body, self.site, workflow_id), answer, DatadogUnreachable)

    async def cancel_instance(self, workflow_id: str, instance_id: str) -> None:
        """Ask Datadog to cancel. It does so a little later: look at the instance for the end. Safe to repeat."""
        path = _path("workflows", workflow_id, "instances", instance_id, "cancel")
        await self._ask("cancel_instance", "PUT", path, scope="workflows_run")

    async def get_workflow(self, workflow_id: str) -> WorkflowDefinition:
        """The workflow with its inputs."""
        answer = await self._ask("get_workflow", "GET", _path("workflows", workflow_id))
        return _readable(wire.read_workflow, answer, DatadogUnreachable)

    async def list_workflows(
        self, page: int = 0, limit: int = 50, query: str = "", include_unpublished: bool = False
    ) -> WorkflowPage:
        """A page (from 0) of workflows with their inputs. `query` is part of a name, or a `key:value` tag."""
        parameters: dict[str, str | int] = {"page": page, "limit": limit, "filter[includeSpecs]": "true"}
        if query:
            parameters["filter[query]"] = query
        if include_unpublished:
            parameters["filter[includeUnpublished]"] = "true"
        answer = await self._ask("list_workflows", "GET", _path("workflows"), parameters)
        return _readable(wire.read_workflows, answer, DatadogUnreachable)

    async def validate_keys(self) -> KeyCheck | None:
        """Whether the keys are valid on this site; that says nothing about workflows. None for an access token."""
        if self._credentials.is_bearer:
            return None
        alone, pair = await self._accepts("/api/v1/validate"), await self._accepts("/api/v2/validate_keys")
        return KeyCheck(alone is not None, pair is not None, alone.headers.get("Date", "") if alone else "")

    async def may_run(self, workflow_id: str) -> bool:
        """Whether the keys may do to the workflow what needs `workflows_run`, found out without doing it.

        Asks to cancel an instance that can't exist, which needs the permission that a start needs (Datadog API reference:
        Cancel a workflow instance). Raises what any other call raises but DatadogForbidden.
        """
        try:
            await self.cancel_instance(workflow_id, str(uuid.uuid4()))
        except DatadogForbidden:
            return False
        except DatadogRefused:
            pass  # there is no such instance: we got as far as that
        return True

    async def _accepts(self, path: str) -> _Answer | None:
        try:
            return await self._ask("validate_keys", "GET", path)
        except DatadogForbidden:
            return None

    async def _ask(
        self,
        call: str,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        scope: str = "workflows_read",
    ) -> _Answer:
        """A request that may be repeated, and its good answer. `call` is the name that telemetry knows it by."""
        with self._telemetry.call("datadog", call):
            answer = await self._send(method, path, DatadogUnreachable, query=query)
            self._check(answer, DatadogUnreachable, scope, ())
            return answer

    async def _send(
        self,
        method: str,
        path: str,
        lost: type[DatadogError],
        *,
        query: Mapping[str, str | int] | None = None,
        content: bytes | None = None,
    ) -> _Answer:
        """Send once, and read the answer whatever its status. Raises DatadogUnreachable, or `lost` if it was sent."""
        headers = self._credentials.headers() | {"Accept": "application/json, application/vnd.api+json"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        url = self._base_url + path
        try:
            async with (
                asyncio.timeout(self._total_timeout),
                self._http.stream(method, url, params=query, content=content, headers=headers) as response,
            ):
                return _Answer(response.status_code, response.headers, await _body(response))
        # OSError and TimeoutError come through httpx's aiohttp transport as they are.
        except (httpx.HTTPError, aiohttp.ClientError, OSError, TimeoutError) as error:
            if surely_not_sent(error):
                raise DatadogUnreachable("No connection to Datadog came about. Nothing was sent.") from error
            reason = "did not answer in time" if _is_timeout(error) else "closed the connection without a full answer"
            raise lost(lost_words(lost, reason)) from error
        except wire.UnreadableAnswer:
            raise lost(lost_words(lost, "gave an answer that is too long")) from None

    def _check(self, answer: _Answer, lost: type[DatadogError], scope: str, hidden: Iterable[str]) -> None:
        secrets = (*self._credentials.secrets, *hidden)
        raise_for_status(
            answer.status, answer.headers, answer.body, lost=lost, scope=scope, site=self.site, hidden=secrets
        )


async def _body(response: httpx.Response) -> bytes:
    try:
        return await read_body(response)
    except (httpx.HTTPError, aiohttp.ClientError, OSError, TimeoutError, wire.UnreadableAnswer):
        if 400 <= response.status_code < 500:
            return b""  # the status alone says no; only the reason is lost
        raise


def _readable(read: Callable[[Mapping[str, Any]], T], answer: _Answer, lost: type[DatadogError]) -> T:
    try:
        return read(wire.decode(answer.body))
    except wire.UnreadableAnswer:
        raise lost(lost_words(lost, "gave an answer that can't be read"), status=answer.status) from None


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError)


def _path(*segments: str) -> str:
    """Below /api/v2. A segment can't leave its place: it is encoded, and dots alone, which mean "up", are refused."""
    for segment in segments:
        if not segment.strip("."):
            raise DatadogRefused("This is not an id that Datadog could know. Nothing was sent.", code="INVALID_ID")
    return "/api/v2/" + "/".join(quote(segment, safe="") for segment in segments)


def _texts(value: Any) -> Iterator[str]:
    """Every value in a payload that an error could quote, as text."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif not isinstance(value, bool) and value is not None and len(str(value)) >= SHORTEST_HIDDEN:
        yield str(value)
