"""The stand-in itself: which route answers, which fault strikes, and what is noted."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Self

from aiohttp import web

from bot.sandbox.datadog.answers import JSON, answer
from bot.sandbox.datadog.faults import Faults, slow_seconds
from bot.sandbox.datadog.instance_routes import InstanceRoutes
from bot.sandbox.datadog.instances import CANCEL_SECONDS, StoredInstance
from bot.sandbox.datadog.intake_routes import IntakeRoutes
from bot.sandbox.datadog.key_checks import (
    API_KEY_CHECK,
    EVENTS,
    KEY_PAIR_CHECK,
    LOGS,
    Door,
    api_key_is_valid,
    keys_are_valid,
)
from bot.sandbox.datadog.workflow_routes import Answered, WorkflowRoutes
from bot.sandbox.datadog.workflows import StoredWorkflow, make_spec

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Route = Callable[[web.Request], Awaitable[web.Response]]

WORKFLOW = "/api/v2/workflows/{workflow_id}"
INSTANCE = WORKFLOW + "/instances/{instance_id}"
PAGES = "/workflow/"  # for people with a browser, who have no keys


@dataclass(frozen=True)
class Execution:
    """A start that was accepted, whatever became of the answer. `time` is in seconds since the epoch."""

    workflow_id: str
    instance_id: str
    payload: Mapping[str, Any] = field(repr=False)
    time: float


@dataclass(frozen=True)
class RequestSeen:
    """A request as it came in (`path` undecoded, with its query) and the status meant for it."""

    method: str
    path: str
    status: int


class LocalDatadog:
    """A Datadog organisation on loopback; use it as `async with LocalDatadog() as dd`.

    `clock` (seconds) drives the progress of instances; `let_pass` moves it on, so a test need not wait for them.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        api_key: str = "",
        app_key: str = "",
        access_token: str = "",
        cancel_seconds: float = CANCEL_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._door = Door(api_key, app_key, access_token)
        self.api_key, self.app_key = self._door.api_key, self._door.app_key
        self.access_token = self._door.access_token
        self._faults = Faults()
        self.executions: list[Execution] = []
        self._intake = IntakeRoutes()
        self.requests: list[RequestSeen] = []
        self._port, self._clock, self._passed = port, clock, 0.0
        self._workflows: dict[str, StoredWorkflow] = {}
        self._workflow_routes = WorkflowRoutes(self._workflows)
        self._instance_routes = InstanceRoutes(
            self._workflows, self._faults, self._now, cancel_seconds, self._note_execution
        )
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens, once started."""
        return self._instance_routes.url

    def let_pass(self, seconds: float) -> None:
        """Move every instance on by so many seconds, at once."""
        self._passed += seconds

    def _now(self) -> float:
        return self._clock() + self._passed

    @property
    def faults(self) -> Faults:
        """The switches; every part of the server shares this one object, so it is changed and never replaced."""
        return self._faults

    async def __aenter__(self) -> Self:
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1, handle_signals=False)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        self._instance_routes.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def logs(self) -> list[dict[str, Any]]:
        """Every log that was sent here."""
        return self._intake.logs

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event that was posted here."""
        return self._intake.events

    def add_workflow(
        self,
        *,
        name: str,
        parameters: Sequence[Mapping[str, Any]] = (),
        steps: Sequence[str] = ("Step1",),
        published: bool = True,
        api_trigger: bool = True,
        step_seconds: float = 0.5,
        outcome: str = "SUCCEEDED",
        outputs: Mapping[str, Any] | None = None,
        description: str = "",
        tags: Sequence[str] = (),
        id: str | None = None,  # noqa: A002 - the word Datadog has for it
    ) -> str:
        """Add a workflow and return its id. `parameters` are written as in Datadog's `inputSchema`, `steps` by name."""
        spec = make_spec([dict(each) for each in parameters], list(steps), api_trigger=api_trigger)
        workflow = StoredWorkflow(
            id=id or str(uuid.uuid4()),
            name=name,
            description=description,
            published=published,
            spec=spec,
            tags=list(tags),
            step_seconds=step_seconds,
            outcome=outcome,
            outputs=dict(outputs or {}),
        )
        self._workflows[workflow.id] = workflow
        return workflow.id

    def change_workflow(self, workflow_id: str, **attributes: Any) -> None:
        """Edit a workflow as a person in Datadog would: name, description, published, spec, tags."""
        self._workflows[workflow_id].change(attributes)

    def remove_workflow(self, workflow_id: str) -> None:
        """Delete a workflow as a person in Datadog would."""
        del self._workflows[workflow_id]

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        workflows, instances = self._workflow_routes, self._instance_routes
        routes: list[tuple[str, str, str, Route]] = [
            ("GET", "/api/v2/workflows", "list_workflows", workflows.list_workflows),
            ("POST", "/api/v2/workflows", "create_workflow", workflows.create_workflow),
            ("GET", WORKFLOW, "get_workflow", workflows.get_workflow),
            ("PATCH", WORKFLOW, "update_workflow", workflows.update_workflow),
            ("DELETE", WORKFLOW, "delete_workflow", workflows.delete_workflow),
            ("GET", WORKFLOW + "/instances", "list_instances", instances.list_instances),
            ("POST", WORKFLOW + "/instances", "execute", instances.execute),
            ("GET", INSTANCE, "get_instance", instances.get_instance),
            ("PUT", INSTANCE + "/cancel", "cancel", instances.cancel),
            ("POST", LOGS, "send_logs", self._intake.take_logs),
            ("POST", EVENTS, "post_event", self._intake.take_event),
        ]
        for method, path, operation, handler in routes:
            app.router.add_route(method, path, self._with_faults(operation, handler))
        app.router.add_get(PAGES + "{workflow_id}", instances.page)
        app.router.add_get(API_KEY_CHECK, api_key_is_valid)
        app.router.add_get(KEY_PAIR_CHECK, keys_are_valid)
        return app

    def _with_faults(self, operation: str, handler: Route) -> Handler:
        async def answer_or_fail(request: web.Request) -> web.StreamResponse:
            delay = self.faults.delay + (self.faults.execute_delay if operation == "execute" else 0)
            if delay:
                await asyncio.sleep(delay)
            status = self.faults.take_status(operation)
            if status is not None:
                return _fault_answer(status, self.faults.body, self.faults.headers)
            response = await handler(request)
            if operation == "execute" and response.status == 200:
                return await self._lose_answer(request, response)
            return response

        return answer_or_fail

    async def _lose_answer(self, request: web.Request, response: web.Response) -> web.Response:
        lost = self.faults.take_lost_answer()
        seconds = slow_seconds(lost)
        if seconds is not None:
            await asyncio.sleep(seconds)
        elif lost == "drop":
            if request.transport is not None:
                request.transport.close()
        elif lost == "garbage":
            return web.Response(text="{not json at all", content_type="application/json")
        elif lost:
            return _fault_answer(int(lost), "<html><body><h1>Bad gateway</h1></body></html>", {})
        return response

    # aiohttp tells the two signatures of a middleware apart by this mark.
    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response: web.StreamResponse | None = None
        try:
            for_people = request.path.startswith(PAGES)
            response = (None if for_people else self._door.turn_away(request)) or await handler(request)
        except Answered as answered:
            response = answered.response
        except web.HTTPException as error:  # no such route or method; Datadog answers JSON here too
            response = answer(error.status, {"errors": [error.reason]})
        finally:
            self.requests.append(RequestSeen(request.method, request.raw_path, response.status if response else 0))
        response.headers["Date"] = formatdate(time.time() + self.faults.clock_skew, usegmt=True)
        return response

    def _note_execution(self, instance: StoredInstance) -> None:
        self.executions.append(Execution(instance.workflow.id, instance.id, instance.payload, instance.started))


def _fault_answer(status: int, body: Any, headers: Mapping[str, str]) -> web.Response:
    if isinstance(body, str):
        response = web.Response(status=status, text=body, content_type="text/html")
    else:
        said = ["Forbidden" if status == 403 else f"status {status}"] if body is None else body
        response = answer(status, {"errors": said} if isinstance(said, list) else said, JSON)
    response.headers.update(headers)
    return response
