"""What survives every kill: the local Slack and the local Datadog with what is in them, and each ask of each person."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot import connections
from bot.datadog.client import Datadog
from bot.domain.errors import DatadogUnreachable
from bot.domain.workflows import WorkflowDefinition
from bot.policy_file.compile import compile_policy
from bot.policy_file.reader import parse_policy
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import world_environment
from bot.settings import Settings, read_settings
from bot.storage import migrate
from bot.use_cases.apply_policy import apply_policy

AUDIT = "C99AUDIT"
KEY = "a key for the audit trail's hashes"
# So that each fits into its channel's rate and each lost run has few others that it could be.
CHANNELS = [f"C{number:02}OPS" for number in range(1, 11)]
PEOPLE = [f"U{number:02}PERSON" for number in range(1, 13)]
STRANGER = "U99STRANGER"  # may run nothing
TAG = "tag"  # the input that carries each ask's own word, by which executions are counted
LONG = {"log": [f"line {number} of what the workflow had to say" for number in range(200)]}
KINDS: Mapping[str, Mapping[str, Any]] = {
    "quick": {"steps": ["Do"], "step_seconds": 0.2},
    "two-steps": {"steps": ["Prepare", "Do"], "step_seconds": 0.5},
    "four-steps": {"steps": ["Look", "Prepare", "Do", "Check"], "step_seconds": 0.6},
    "long": {"steps": ["Prepare", "Do"], "step_seconds": 3.0},
    "failing": {"steps": ["Prepare", "Do"], "step_seconds": 0.4, "outcome": "STEP_ERROR"},
    "telling": {"steps": ["Do"], "step_seconds": 0.4, "outputs": {"pods": 6}},
    "telling-much": {"steps": ["Do"], "step_seconds": 0.4, "outputs": LONG},
    "short": {"steps": ["Do"], "step_seconds": 0.05},
    "guarded": {"steps": ["Do"], "step_seconds": 0.2},
    "guarded-directly": {"steps": ["Do"], "step_seconds": 0.2},
}
# Whose approval they need; what nobody answers in time expires, so that everything comes to an end.
REVIEWS, APPROVERS = "C98REVIEWS", "S01APPROVERS"
GUARDED: Mapping[str, Mapping[str, Any]] = {
    "guarded": {"from": [PEOPLE[1], PEOPLE[2]], "channel": REVIEWS, "expires": "6s"},
    "guarded-directly": {"from": [APPROVERS, "U98GONE"], "expires": "6s", "remind": "2s"},
}


@dataclass
class Ask:
    """One wish of a person to run something once, however often they had to press."""

    tag: str
    user: str
    channel: str
    at: float
    until: float = 0.0
    presses: int = 0
    acknowledged: bool = False  # Slack showed "taken": the form closed, or the command was answered in time
    told: list[str] = field(default_factory=list)  # what the person read instead


@dataclass
class Company:
    """Both stand-ins, and what was asked for."""

    slack: LocalSlack
    datadog: LocalDatadog
    database_url: str
    asks: dict[str, Ask] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return world_environment(self.slack, self.datadog, self.database_url) | {
            "AUDIT_CHANNEL": AUDIT,
            "AUDIT_KEY": KEY,
            "LOG_LEVEL": "INFO",
        }

    @property
    def settings(self) -> Settings:
        return read_settings(self.environment)

    async def furnish(self) -> None:
        """Migrate the database, and apply a policy under which everybody but the stranger may run everything."""
        await asyncio.to_thread(_migrate, self.database_url)
        for number, user in enumerate(PEOPLE, 1):
            self.slack.add_person(user, f"Person {number}")
        self.slack.add_person(STRANGER, "Sam Stranger")
        for channel in CHANNELS:
            self.slack.add_channel(channel, channel.lower())
        self.slack.add_channel(AUDIT, "audit")
        self.slack.add_channel(REVIEWS, "reviews")
        self.slack.add_group(APPROVERS, PEOPLE[1:4])
        self.slack.scopes.add("files:write")
        parameters = [{"name": TAG, "type": "STRING"}, {"name": "note", "type": "STRING", "defaultValue": "none"}]
        workflows = {
            name: {"id": self.datadog.add_workflow(name=name, parameters=parameters, **kind), "title": f"Run {name}"}
            for name, kind in KINDS.items()
        }
        rules: list[dict[str, Any]] = [{"allow": PEOPLE, "run": [name for name in KINDS if name not in GUARDED]}]
        rules += [{"allow": PEOPLE, "run": [name], "approval": asked} for name, asked in GUARDED.items()]
        await self._apply(json.dumps({"version": 1, "workflows": workflows, "rules": rules}))  # JSON is YAML too

    async def _apply(self, policy: str) -> None:
        source = parse_policy(policy, "workflows.yml")
        async with connections.open_datadog(self.settings) as accounts, connections.open_store(self.settings) as store:
            client = accounts.own()
            definitions = {name: await _definition(client, w.id) for name, w in source.fields.workflows.items()}
            compiled = compile_policy(source, definitions)
            await apply_policy(
                compiled,
                digest=source.digest,
                source=source.text,
                applied_by="chaos",
                store=store,
            )

    def mend(self) -> None:
        """Slack and Datadog work again."""
        self.slack.faults.clear()
        self.datadog.faults.clear()


_migrating = threading.Lock()


async def _definition(client: Datadog, workflow_id: str) -> WorkflowDefinition:
    """Not a test yet: with many bots on a machine, to connect may take longer than the client waits."""
    while True:
        with contextlib.suppress(DatadogUnreachable):
            return await client.get_workflow(workflow_id)


def _migrate(url: str) -> None:
    with _migrating:  # Alembic keeps what it is doing in module globals
        migrate.upgrade(url)
