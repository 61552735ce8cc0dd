"""What a check says: one finding, in the area it belongs to, with what to do about it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum

SENTENCES = re.compile(r"(?<=[.?]) (?=[A-Z])")


class Area(StrEnum):
    """What can be asked about by itself, in the order in which an installation comes to it."""

    SETTINGS = "settings"
    DATABASE = "database"
    SLACK = "slack"
    DATADOG = "datadog"
    POLICY = "policy"
    SERVING = "serving"


class State(StrEnum):
    """How it is: `fail` has to be mended and makes the command fail, `look` deserves a look."""

    OK = "ok"
    LOOK = "look"
    FAIL = "fail"


class Check(StrEnum):
    """Every check there is; docs/doctor.md has a row for each."""

    SETTINGS = "Settings"
    SECRET_FILES = "Secret files"  # noqa: S105  # a name
    ADMINS = "ADMINS"
    AUDITORS = "AUDITORS"
    AUDIT_CHANNEL = "AUDIT_CHANNEL"
    ENCRYPTION_KEY = "ENCRYPTION_KEY"
    AUDIT_KEY = "AUDIT_KEY"
    CONNECTION = "Connection"
    SCHEMA = "Schema"
    STORAGE = "Storage"
    WRITING = "Writing"
    ROLE = "Database role"
    WITNESSES = "Witnesses"
    WORKSPACES = "WORKSPACES"
    PUBLIC_URL = "PUBLIC_URL"
    INSTALLATION = "Installation"
    BOT_TOKEN = "SLACK_BOT_TOKEN"  # noqa: S105  # the name of a setting
    CLIENT_SECRET = "SLACK_CLIENT_SECRET"  # noqa: S105  # the name of a setting
    SCOPES = "Scopes"
    CLOCK = "Clock"
    SIGNING_SECRET = "SLACK_SIGNING_SECRET"  # noqa: S105  # the name of a setting
    APP_TOKEN = "SLACK_APP_TOKEN"  # noqa: S105  # the name of a setting
    COMMAND = "SLACK_COMMAND"
    CHANNEL = "Channel"
    USER_GROUPS = "User groups"
    MANIFEST = "App manifest"
    SITE = "Site"
    KEYS = "Keys"
    API_ACCESS = "Actions API access"
    WORKFLOW = "Workflow"
    FILE = "Policy file"
    IN_FORCE = "Policy in force"
    PORT = "PORT"
    REPLICAS = "Replicas"
    DEPLOYMENTS = "Deployments"


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` tells apart checks of several things (a workflow, a channel); `found` is what is so, `advice` what to do."""

    area: Area
    check: Check
    state: State
    found: str
    advice: str = ""
    subject: str = ""

    @property
    def title(self) -> str:
        return f"{self.check} {self.subject}".strip()


@dataclass(frozen=True, slots=True)
class Looking:
    """What is being looked at just now, for those who wait."""

    at: str


Findings = AsyncIterator[Finding | Looking]


@dataclass(frozen=True, slots=True)
class Says:
    """Makes findings of one area."""

    area: Area

    def ok(self, check: Check, found: str, subject: str = "") -> Finding:
        return Finding(self.area, check, State.OK, found, subject=subject)

    def look(self, check: Check, found: str, advice: str, subject: str = "") -> Finding:
        return Finding(self.area, check, State.LOOK, found, advice, subject)

    def fail(self, check: Check, found: str, advice: str, subject: str = "") -> Finding:
        return Finding(self.area, check, State.FAIL, found, advice, subject)

    def wrong(self, check: Check, words: str, otherwise: str, subject: str = "") -> Finding:
        """From an error's words: its first sentence is what is so, the rest what to do; `otherwise` where there is none."""
        found, *rest = SENTENCES.split(words, maxsplit=1)
        return self.fail(
            check, found if found.endswith((".", "?")) else f"{found}.", rest[0] if rest else otherwise, subject
        )
