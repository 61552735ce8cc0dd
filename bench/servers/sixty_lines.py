"""The bot that one would write in 60 lines: Bolt, Datadog's own client as its examples use it, WebClient, and no database.

It asks an allow-list in memory, acks, starts the workflow and posts the outcome. It has no audit trail, no retry, and
forgets what it was doing when it stops. `fixed` is the same with the two repairs that one finds first: one Datadog client
shared by all, and as many threads for listeners as there are users.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from datadog_api_client import ApiClient, Configuration
from datadog_api_client.v2.api.workflow_automation_api import WorkflowAutomationApi
from datadog_api_client.v2.model.workflow_instance_create_meta import WorkflowInstanceCreateMeta
from datadog_api_client.v2.model.workflow_instance_create_request import WorkflowInstanceCreateRequest
from gunicorn.app.base import BaseApplication
from slack_bolt import App
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_sdk import WebClient

from bench.servers.outset import BOT_TOKEN, SIGNING_SECRET, given, ready

WORKFLOW = "00000000-0000-4000-8000-000000000000"
THREADS = 64


def build(slack: str, datadog: str, fixed: bool) -> App:
    """The bot itself."""
    configuration = Configuration(host=datadog)
    configuration.api_key["apiKeyAuth"] = "benchmark-api-key"
    configuration.api_key["appKeyAuth"] = "benchmark-application-key"
    permitted = {f"U0BENCH{number:02d}" for number in range(64)}
    shared = ApiClient(configuration) if fixed else None
    app = App(
        client=WebClient(token=BOT_TOKEN, base_url=slack),
        signing_secret=SIGNING_SECRET,
        listener_executor=ThreadPoolExecutor(THREADS) if fixed else ThreadPoolExecutor(5),  # 5 is Bolt's own default
    )

    def start(inputs: dict[str, Any], client: ApiClient) -> str:
        body = WorkflowInstanceCreateRequest(meta=WorkflowInstanceCreateMeta(payload=inputs))
        return str(WorkflowAutomationApi(client).create_workflow_instance(workflow_id=WORKFLOW, body=body).data.id)

    @app.view("workflow_form")
    def submitted(ack: Any, body: dict[str, Any], view: dict[str, Any], client: WebClient) -> None:
        user, channel = body["user"]["id"], view["private_metadata"].split('"c": "')[1].split('"')[0]
        if user not in permitted:
            ack(response_action="errors", errors={"input:ticket": "You may not run this."})
            return
        ack()
        inputs = {}
        for block, actions in view["state"]["values"].items():
            value = actions["input"]
            inputs[block.removeprefix("input:")] = (value.get("selected_option") or value)["value"]
        if shared is not None:
            instance = start(inputs, shared)
        else:
            with ApiClient(configuration) as one:
                instance = start(inputs, one)
        words = f"<@{user}> started *Restart a service* with {inputs}: instance {instance}"
        client.chat_postMessage(channel=channel, text=words)

    return app


class _Gunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn with one process and many threads, said in Python instead of on the command line."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self._arguments = arguments
        super().__init__()

    def load_config(self) -> None:
        settings = {"bind": "127.0.0.1:0", "worker_class": "gthread", "workers": 1, "threads": THREADS}
        settings |= {"keepalive": 75, "loglevel": "error", "post_worker_init": _say_ready}
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> SlackRequestHandler:
        return SlackRequestHandler(
            build(self._arguments["slack"], self._arguments["datadog"], self._arguments["fixed"])
        )


def _say_ready(worker: Any) -> None:
    ready(worker.sockets[0].getsockname()[1])


if __name__ == "__main__":
    _Gunicorn(given()).run()
