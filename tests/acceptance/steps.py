"""Workflows that go on for a while, and what a channel shows of their runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.domain.runs import Run
from tests.acceptance.scene import ALICE_IN_OPS, ENV, OPS, RESTART, SERVICE, Json, Scene, until, words

RUN = f"/workflow run {RESTART} service=web"


async def offer_lasting(
    scene: Scene,
    *,
    seconds: float = 60.0,
    parameters: Sequence[Json] = (SERVICE, ENV),
    rules: Sequence[Json] = (ALICE_IN_OPS,),
    inputs: Json | None = None,
    **behaviour: Any,
) -> str:
    """As `Scene.offer`, but each step takes `seconds`; `behaviour` is `steps`, `outcome` and `outputs`."""
    title = "Restart a service"
    workflow_id = scene.datadog.add_workflow(name=title, parameters=parameters, step_seconds=seconds, **behaviour)
    await scene.apply({RESTART: {"id": workflow_id, "title": title, "inputs": inputs or {}}}, rules)
    return workflow_id


def live(scene: Scene, channel: str = OPS) -> Json:
    """The one message of the one run."""
    (message,) = [m for m in scene.slack.messages(channel) if not m["thread_ts"] and m["ephemeral_to"] is None]
    return message


def replies(scene: Scene, channel: str = OPS) -> list[Json]:
    """What is in the message's thread."""
    return [m for m in scene.slack.messages(channel) if m["thread_ts"]]


async def reply(scene: Scene, channel: str = OPS) -> Json:
    """The one reply in its thread, once it is there."""

    async def look() -> Json | None:
        found = replies(scene, channel)
        assert len(found) <= 1
        return found[0] if found else None

    return await until(look)


async def is_running(scene: Scene) -> Run:
    """The one run, once its message says that it runs."""
    await scene.told(scene.alice, "is running for")
    return await scene.only_run()


def versions(scene: Scene) -> list[str]:
    """Every version of the messages in the channel as the bot sent it to Slack, oldest first."""
    sent = [c for c in scene.slack.calls if c.method in ("chat.postMessage", "chat.update") and c.response.get("ok")]
    return [words(call.params) for call in sent if call.params["channel"] == OPS]


def updates(scene: Scene) -> int:
    """How often a message was edited."""
    return len(scene.slack.calls_of("chat.update"))


def looks(scene: Scene) -> int:
    """How often Datadog was asked for an instance."""
    return len([seen for seen in scene.datadog.requests if seen.method == "GET" and "/instances/" in seen.path])
