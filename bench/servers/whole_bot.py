"""The whole bot as `workflow-bot serve` runs it: policy, database, audit chain, outbox. Nothing is switched off, but that
with `unseen` nothing is counted."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from bench.servers.outset import BOT_TOKEN, SIGNING_SECRET, given, ready
from bot import bootstrap, instruments
from bot.datadog.sites import Site
from bot.policy_file.compile import compile_policy
from bot.policy_file.reader import parse_policy
from bot.settings import Settings, read_settings
from bot.slack.blocks.workflow_form import FormMemory, workflow_form
from bot.storage import migrate
from bot.use_cases.apply_policy import apply_policy
from bot.use_cases.telemetry import Telemetry

WORKFLOWS = 20
USERS = 64
POLICY_HEAD = """\
version: 1
people:
  sre: {{ users: [{users}] }}
  others: {{ users: [U0OTHER01, U0OTHER02] }}
rules:
  - {{ allow: [sre], run: ["*"] }}
  - {{ allow: [others], run: [tag:ops], in: [C0OTHER01] }}
  - {{ deny: [others], run: [workflow-0], when: {{ env: [production] }} }}
workflows:
"""
POLICY_WORKFLOW = """\
  workflow-{number}:
    id: 00000000-0000-4000-8000-{number:012d}
    title: Restart a service ({number})
    description: Rolls the pods of a service, one after the other
    tags: [ops]
    inputs:
      service: {{ label: Service, type: string, options: [web, api, worker, checkout, search, billing] }}
      env: {{ label: Environment, type: string, options: [staging, production], default: staging }}
      ticket: {{ label: Ticket, type: string, description: Goes into the audit trail }}
"""


def policy() -> str:
    """A policy of a small company: some workflows, a set of people who may run them all, and a denial."""
    users = ", ".join(f"U0BENCH{number:02d}" for number in range(USERS))
    return POLICY_HEAD.format(users=users) + "".join(POLICY_WORKFLOW.format(number=n) for n in range(WORKFLOWS))


def settings_of(arguments: dict[str, Any]) -> Settings:
    """The bot's settings, as its environment would give them."""
    return read_settings(
        {
            "SLACK_API_URL": arguments["slack"],
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "DD_API_URL": arguments["datadog"],
            "DD_API_KEY": "benchmark-api-key",
            "DD_APP_KEY": "benchmark-application-key",
            "DATABASE_URL": arguments["database"],
            "PORT": "0",
            **arguments.get("environment", {}),
        }
    )


async def serve(arguments: dict[str, Any]) -> None:
    """Run until told to stop."""
    settings = settings_of(arguments)
    await asyncio.to_thread(migrate.upgrade, settings.database_url.get_secret_value())
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    local = Site("local", arguments["datadog"], arguments["datadog"])
    if arguments.get("unseen"):
        vars(instruments)["Counting"] = _NobodyCounts  # the only place that wants it
    async with bootstrap.open_bot(settings, local) as bot, bootstrap.running(bot, settings) as port:
        source = parse_policy(policy(), "workflows.yml")
        compiled = compile_policy(source, {})
        await apply_policy(
            compiled,
            digest=source.digest,
            source=source.text,
            applied_by="benchmark",
            store=bot.store,
        )
        entry = compiled.entries[0]
        memory = FormMemory(entry.name, "CHANNEL", entry.definition_hash, "NONCE")
        bootstrap.settle()
        ready(port, view=workflow_form(entry, memory))
        await stopping.wait()


class _NobodyCounts(Telemetry):
    """Only what readiness asks for."""

    def __init__(self, *_: Any) -> None:
        self.down: set[str] = set()
        self.turned: dict[str, float] = {}


if __name__ == "__main__":
    asyncio.run(serve(given()))
