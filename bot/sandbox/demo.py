"""What is in the sandbox: a small company, its channels, its Datadog workflows and its policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack

ALICE, BOB, GUEST, CARA = "U01ALICE", "U02BOB", "U03GUEST", "U04CARA"
OPS, GENERAL, AUDIT, REVIEWS = "C01OPS", "C02GENERAL", "C03AUDIT", "C04REVIEWS"

POLICY = """\
# The policy of the sandbox. A real one is kept in git and applied with: workflow-bot policy apply
version: 1
people:
  sre: {{ users: [U01ALICE] }}
  developers: {{ users: [U02BOB] }}
  leads: {{ users: [U01ALICE, U04CARA] }}
workflows:
  restart-service:
    id: {restart}
    title: Restart a service
    description: Rolls the pods of a service, one after the other
    tags: [ops]
    inputs:
      reason: {{ label: Why, description: Goes into the audit trail }}
  scale-service:
    id: {scale}
    title: Scale a service
    tags: [ops]
  rotate-credentials:
    id: {rotate}
    title: Rotate credentials
    inputs:
      token: {{ label: Token of the vault, secret: true }}
  collect-diagnostics:
    id: {collect}
    title: Collect diagnostics
  deploy-website:
    id: {deploy}
    title: Deploy the website
rules:
  - {{ allow: [sre], run: ["*"], in: [C01OPS] }}
  - {{ allow: [developers], run: [collect-diagnostics] }}
  - {{ allow: [developers], run: [restart-service], in: [C01OPS], when: {{ env: [staging] }} }}
  - {{ allow: [developers], run: [scale-service], in: [C01OPS], when: {{ dry_run: [true] }} }}
  - allow: [developers]
    run: [scale-service]
    in: [C01OPS]
    when: {{ dry_run: [false] }}
    approval: {{ from: [leads], count: 2, expires: 1h, channel: C04REVIEWS, break_glass: 1d }}
freezes:
  - {{ run: [deploy-website], from: "{frozen_from}", until: "{frozen_until}", reason: Sale of the year }}
tests:
  - {{ who: U01ALICE, in: C01OPS, run: restart-service, with: {{ env: production }}, expect: allow }}
  - {{ who: U02BOB, in: C01OPS, run: restart-service, with: {{ env: production }}, expect: deny }}
  - {{ who: U02BOB, in: C01OPS, run: scale-service, with: {{ dry_run: false }}, expect: needs approval }}
"""


# What each workflow is in Datadog, by the name that it has in the policy's text.
WORKFLOWS: dict[str, dict[str, Any]] = {
    "restart": {
        "name": "Restart a service",
        "parameters": [
            {
                "name": "service",
                "type": "STRING",
                "label": "Service",
                "allowedValues": ["web", "api", "worker", "checkout"],
            },
            {
                "name": "env",
                "type": "STRING",
                "label": "Environment",
                "allowedValues": ["staging", "production"],
                "defaultValue": "staging",
            },
            {"name": "reason", "type": "STRING", "label": "Reason"},
        ],
        "steps": ["Check health", "Drain traffic", "Restart pods", "Wait until ready"],
        "step_seconds": 1.5,
        "outputs": {"restarted_pods": 6},
    },
    "scale": {
        "name": "Scale a service",
        "parameters": [
            {"name": "service", "type": "STRING", "label": "Service", "allowedValues": ["web", "api", "worker"]},
            {"name": "replicas", "type": "NUMBER", "label": "Replicas", "defaultValue": 3},
            {"name": "dry_run", "type": "BOOLEAN", "label": "Only pretend", "defaultValue": True},
            {"name": "zones", "type": "ARRAY_STRING", "label": "Zones", "allowedValues": ["a", "b", "c"]},
        ],
        "steps": ["Read the deployment", "Scale"],
        "step_seconds": 1.0,
    },
    "rotate": {
        "name": "Rotate credentials",
        "parameters": [
            {"name": "token", "type": "STRING"},
            {"name": "options", "type": "OBJECT", "label": "Options", "defaultValue": {"notify": True}},
        ],
        "steps": ["Create", "Distribute", "Revoke the old ones"],
        "step_seconds": 1.0,
        "outcome": "STEP_ERROR",
    },
    "collect": {
        "name": "Collect diagnostics",
        "parameters": [
            {"name": "hosts", "type": "ARRAY_STRING", "label": "Hosts", "defaultValue": ["web-1"]},
            {"name": "ticket", "type": "STRING", "label": "Ticket", "defaultValue": ""},
        ],
        "steps": ["Gather logs", "Upload"],
        "step_seconds": 1.0,
        "outputs": {"archive": "diagnostics.tar.gz"},
    },
    "deploy": {
        "name": "Deploy the website",
        "parameters": [{"name": "version", "type": "STRING", "label": "Version"}],
        "steps": ["Build", "Switch over"],
        "step_seconds": 1.0,
    },
}


def furnish_slack(slack: LocalSlack) -> None:
    """Four people and four channels."""
    slack.add_person(ALICE, "Alice Moreau", note="Site reliability: may run everything in #ops")
    slack.add_person(BOB, "Bob Tanaka", note="Developer: restarts in staging; to scale for real takes two approvals")
    slack.add_person(CARA, "Cara Lindt", note="Engineering lead: approves, with Alice, what developers scale")
    slack.add_person(GUEST, "Gil Navarro", is_restricted=True, note="A guest from an agency: may run nothing")
    slack.add_channel(OPS, "ops", members=[ALICE, BOB, CARA, GUEST], topic="Where workflows are run")
    slack.add_channel(GENERAL, "general", members=[ALICE, BOB, CARA, GUEST], topic="Here the rules allow little")
    slack.add_channel(REVIEWS, "reviews", members=[ALICE, BOB, CARA], topic="Where leads are asked to approve")
    slack.add_channel(AUDIT, "audit", members=[ALICE, BOB, CARA], topic="Each audit record, with its number and hash")


def furnish_datadog(datadog: LocalDatadog) -> str:
    """Five workflows, and the policy that lists them; one of them is frozen at the moment."""
    ids = {name: datadog.add_workflow(**workflow) for name, workflow in WORKFLOWS.items()}
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    frozen_from, frozen_until = today - timedelta(days=1), today + timedelta(days=7)
    return POLICY.format(**ids, frozen_from=frozen_from.isoformat(), frozen_until=frozen_until.isoformat())
