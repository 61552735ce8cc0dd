"""What acceptance tests share: a small company with the real bot in it, and the questions asked of what happened there.

The bot is reached only as Slack reaches it, and seen only in Slack, in Datadog and in its own database.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from bot.domain.runs import Run, State
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack, Person
from bot.sandbox.world import World

# For tests of what no database has a part in: one of the two is enough.
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# For tests that must hold whichever way Slack reaches the bot.
BOTH_DOORS = pytest.mark.parametrize("door", ["http", "socket"])

T = TypeVar("T")
Json = dict[str, Any]

ALICE, BOB, ADMIN = "U01ALICE", "U02BOB", "U09ADMIN"
OPS, GENERAL, AUDIT = "C01OPS", "C02GENERAL", "C03AUDIT"

RESTART = "restart-service"
SERVICE: Json = {"name": "service", "type": "STRING", "label": "Service", "allowedValues": ["web", "api"]}
ENV: Json = {
    "name": "env",
    "type": "STRING",
    "label": "Environment",
    "allowedValues": ["staging", "production"],
    "defaultValue": "staging",
}
ALICE_IN_OPS: Json = {"allow": [ALICE], "run": ["*"], "in": [OPS]}


@dataclass
class Scene:
    """Alice may run everything in #ops, and Bob nothing anywhere, until a test applies another policy."""

    slack: LocalSlack
    datadog: LocalDatadog
    database_url: str
    world: World
    expected_violations: list[str] = field(default_factory=list)
    tampered: bool = False  # the test has edited the database: then trail and runs need not agree

    @property
    def alice(self) -> Person:
        return self.slack.person(ALICE)

    @property
    def bob(self) -> Person:
        return self.slack.person(BOB)

    async def offer(
        self,
        parameters: Sequence[Mapping[str, Any]] = (SERVICE, ENV),
        *,
        rules: Sequence[Json] = (ALICE_IN_OPS,),
        inputs: Json | None = None,
        title: str = "Restart a service",
    ) -> str:
        """Apply a policy with the one workflow `restart-service`, and return its id in Datadog."""
        workflow_id = self.datadog.add_workflow(name=title, parameters=parameters)
        await self.apply({RESTART: {"id": workflow_id, "title": title, "inputs": inputs or {}}}, rules)
        return workflow_id

    async def apply(self, workflows: Json, rules: Sequence[Json]) -> None:
        """Apply a policy. JSON is YAML too."""
        await self.world.apply(json.dumps({"version": 1, "workflows": workflows, "rules": list(rules)}))

    async def open_form(self, person: Person, workflow: str = RESTART, channel: str = OPS) -> Json:
        """Type the command, choose the workflow in the picker, and return its form."""
        await person.command(channel, "/workflow")
        await person.wait_for_view(lambda view: view["callback_id"] == "picker")
        await person.choose("pick_workflow", workflow)
        return await person.wait_for_view(lambda view: view["callback_id"] == "workflow_form")

    async def told(self, person: Person, *texts: str, channel: str = OPS) -> str:
        """Wait until the bot has said all of this in one message that the person can see; returns all its words."""
        message = await person.wait_for_message(channel, lambda m: all(text in words(m) for text in texts))
        return words(message)

    async def told_privately(self, person: Person, *texts: str, channel: str = OPS) -> str:
        """The same, in a message that only this person sees."""
        message = await person.wait_for_message(
            channel, lambda m: m["ephemeral_to"] == person.id and all(text in words(m) for text in texts)
        )
        return words(message)

    async def records(self) -> list[Json]:
        """The audit trail, oldest first, without the applied policies and the settings that point it at stand-ins."""
        found = await self.world.bot.store.read(lambda tx: tx.records(0, 1000))
        bodies = [json.loads(record.body) for record in found]
        return [body for body in bodies if body["act"] not in ("policy applied", "override used")]

    async def acts(self) -> list[str]:
        return [body["act"] for body in await self.records()]

    async def runs(self) -> list[Run]:
        """Every run, newest first."""
        found: list[Run] = await self.world.bot.store.read(lambda tx: tx.runs(1000))
        return found

    async def only_run(self, state: State | None = None) -> Run:
        """The one run there is, once it is in `state`."""

        async def look() -> Run | None:
            found = await self.runs()
            assert len(found) <= 1
            return found[0] if found and state in (None, found[0].state) else None

        return await until(look)

    @property
    def payloads(self) -> list[Mapping[str, Any]]:
        """The inputs of every execution that Datadog accepted."""
        return [execution.payload for execution in self.datadog.executions]

    @property
    def starts(self) -> list[int]:
        """The status meant for every request to start something."""
        return [seen.status for seen in self.datadog.requests if seen.method == "POST"]


async def until(look: Callable[[], Awaitable[T | None]], timeout: float = 30) -> T:
    """What `look` finds, once it finds something true. Raises TimeoutError."""
    async with asyncio.timeout(timeout):
        while not (found := await look()):  # noqa: ASYNC110  # a database has no event to wait for
            await asyncio.sleep(0.02)
        return found


def words(shown: Json) -> str:
    """Every word of a message or a view that a person can read, links included."""
    return "\n".join(_texts({key: shown.get(key) for key in ("text", "title", "blocks", "errors")}))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("text", "url") and isinstance(item, str):
                yield item
            else:
                yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
