"""Every environment variable that the bot reads, typed. A wrong one stops the start with a sentence that says how to fix it.

Any secret may come from a file instead: `NAME_FILE` holds the path. No value of a secret is ever in an error.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from bot.domain.audit_keys import NONE, Keys, read_keys
from bot.domain.errors import InvalidSettings
from bot.domain.installations import is_workspace_id
from bot.domain.people import ADMISSIBLE, Kind

SLACK_API = "https://slack.com/api/"
# Slack docs: authentication/tokens
OTHER_TOKENS = {
    "xoxp-": "a user token (xoxp-…)",
    "xapp-": "an app-level token (xapp-…)",
    "xoxe-": "a refresh token (xoxe-…)",
    "xoxa-": "a legacy workspace token (xoxa-…)",
}
# One channel's id; where many workspaces are served several, each with its workspace's id before it.
AUDIT_CHANNELS = r"^([CG][A-Z0-9]+|([TE][A-Z0-9]+/[CG][A-Z0-9]+[ ,]*)*)$"

# What is wanted where a value has the wrong form, by variable: the words of the library tell nobody what to do.
WANTED = {
    "SLACK_CLIENT_ID": "not a client id. It is two numbers with a dot, from the app's page: Basic Information, App Credentials.",
    "SLACK_COMMAND": "not a slash command. It is / and 1 to 31 of a-z 0-9 _ -, as in /workflow.",
    "AUDIT_CHANNEL": "not a channel's id (C…), a name perhaps. Slack shows the id below the channel's details: About.",
    "AUDIT_WITNESS_DATADOG": "it is logs or events, or left out.",
    "PORT": "not a port. It is a number from 0 to 65535.",
    "METRICS_PORT": "not a port. It is a number from 0 to 65535.",
    "LOG_LEVEL": "it is DEBUG, INFO, WARNING or ERROR.",
    "LOG_FORMAT": "it is text or json.",
}
# What people copy is often the address of one of the bot's own pages.
OWN_PATH = re.compile(r"(?<=[^/])(/slack(/[a-z_]+)?)?/*$")


def base_of(url: str) -> str:
    """Where the bot is reached: the URL without a path of the bot's own at its end, and without a slash."""
    return OWN_PATH.sub("", url, count=1)


def _words(value: Any) -> Any:
    return tuple(word for word in value.replace(",", " ").split() if word) if isinstance(value, str) else value


def _with_slash(value: Any) -> Any:
    return f"{value}/" if isinstance(value, str) and not value.endswith("/") else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class Settings(BaseModel):
    """The settings, by the names of their environment variables. `docs/settings.md` tells each one's meaning."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    slack_bot_token: SecretStr = Field(default=SecretStr(""), alias="SLACK_BOT_TOKEN")
    slack_signing_secret: SecretStr = Field(default=SecretStr(""), alias="SLACK_SIGNING_SECRET")
    slack_app_token: SecretStr = Field(default=SecretStr(""), alias="SLACK_APP_TOKEN")
    slack_client_id: str = Field(default="", alias="SLACK_CLIENT_ID", pattern=r"^([0-9]+\.[0-9]+)?$")
    slack_client_secret: SecretStr = Field(default=SecretStr(""), alias="SLACK_CLIENT_SECRET")
    workspaces: Words = Field(default=(), alias="WORKSPACES")
    public_url: Annotated[str, BeforeValidator(base_of)] = Field(default="", alias="PUBLIC_URL")
    slack_api_url: Annotated[str, BeforeValidator(_with_slash)] = Field(default=SLACK_API, alias="SLACK_API_URL")
    slack_command: str = Field(default="/workflow", alias="SLACK_COMMAND", pattern=r"^/[a-z0-9_-]{1,31}$")
    dd_site: str = Field(default="datadoghq.com", alias="DD_SITE")
    dd_api_key: SecretStr = Field(default=SecretStr(""), alias="DD_API_KEY")
    dd_app_key: SecretStr = Field(default=SecretStr(""), alias="DD_APP_KEY")
    dd_access_token: SecretStr = Field(default=SecretStr(""), alias="DD_ACCESS_TOKEN")
    dd_api_url: str = Field(default="", alias="DD_API_URL")
    database_url: SecretStr = Field(default=SecretStr("sqlite:///data/workflow-bot.db"), alias="DATABASE_URL")
    audit_channel: str = Field(default="", alias="AUDIT_CHANNEL", pattern=AUDIT_CHANNELS)
    audit_key: SecretStr = Field(default=SecretStr(""), alias="AUDIT_KEY")
    audit_signing_key: SecretStr = Field(default=SecretStr(""), alias="AUDIT_SIGNING_KEY")
    audit_witness_path: str = Field(default="", alias="AUDIT_WITNESS_PATH")
    audit_witness_url: SecretStr = Field(default=SecretStr(""), alias="AUDIT_WITNESS_URL")
    audit_witness_datadog: Literal["", "logs", "events"] = Field(default="", alias="AUDIT_WITNESS_DATADOG")
    encryption_key: SecretStr = Field(default=SecretStr(""), alias="ENCRYPTION_KEY")
    admins: Words = Field(default=(), alias="ADMINS")
    auditors: Words = Field(default=(), alias="AUDITORS")
    allow_actors: Words = Field(default=(), alias="ALLOW_ACTORS")
    policy_file: Path = Field(default=Path("workflows.yml"), alias="POLICY_FILE")
    host: str = Field(default="127.0.0.1", alias="HOST")
    port: int = Field(default=3000, ge=0, le=65535, alias="PORT")
    metrics_host: str = Field(default="", alias="METRICS_HOST")
    metrics_port: int = Field(default=0, ge=0, le=65535, alias="METRICS_PORT")
    otel_endpoint: str = Field(default="", alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    otel_traces_endpoint: str = Field(default="", alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    otel_headers: SecretStr = Field(default=SecretStr(""), alias="OTEL_EXPORTER_OTLP_HEADERS")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", alias="LOG_LEVEL")
    log_format: Literal["text", "json"] = Field(default="text", alias="LOG_FORMAT")

    @property
    def audit_keys(self) -> Keys:
        """The keys of the audit chain, newest first."""
        return read_keys(self.audit_key.get_secret_value())

    @property
    def encryption_keys(self) -> list[str]:
        """The keys that secrets at rest are sealed with, newest first; none where it is not set."""
        return list(_words(self.encryption_key.get_secret_value()))

    @property
    def socket_mode(self) -> bool:
        return bool(self.slack_app_token.get_secret_value())

    @property
    def metrics_apart(self) -> bool:
        """Whether /metrics has an address of its own; else it is where the rest is."""
        return bool(self.metrics_port)

    @property
    def traces_url(self) -> str:
        """Where spans are sent to, empty where nowhere (OpenTelemetry specification: protocol/exporter)."""
        if self.otel_traces_endpoint or not self.otel_endpoint:
            return self.otel_traces_endpoint
        return f"{self.otel_endpoint.rstrip('/')}/v1/traces"

    @property
    def oauth(self) -> bool:
        """Whether workspaces install the bot by themselves, and many are served."""
        return bool(self.slack_client_id)

    @property
    def plain_ids(self) -> list[str]:
        """People and channels that settings name without their workspace: where many are served, they are nobody's."""
        if not self.oauth:
            return []
        named = {"ADMINS": self.admins, "AUDITORS": self.auditors, "AUDIT_CHANNEL": _words(self.audit_channel)}
        return [f"{name}: {word}" for name, words in named.items() for word in words if "/" not in word]

    @property
    def overrides(self) -> dict[str, str]:
        """The settings that loosen what the bot would else insist on, as they may be shown."""
        return {
            **({"ALLOW_ACTORS": " ".join(self.allow_actors)} if self.allow_actors else {}),
            **({"DD_API_URL": _origin(self.dd_api_url)} if self.dd_api_url else {}),
            **({"SLACK_API_URL": _origin(self.slack_api_url)} if self.slack_api_url != SLACK_API else {}),
        }

    @property
    def has_witnesses(self) -> bool:
        """Whether signed heads of the audit trail are sent anywhere."""
        return bool(self.audit_witness_path or self.audit_witness_url.get_secret_value() or self.audit_witness_datadog)

    @property
    def admitted(self) -> frozenset[Kind]:
        """Kinds of people besides full members who may act."""
        return frozenset(Kind(word) for word in self.allow_actors)

    def secrets(self) -> list[str]:
        """The values that must never be seen anywhere; what guards logs looks for them."""
        values = (getattr(self, name) for name in type(self).model_fields)
        texts = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        texts += [*self.encryption_keys, *(key.decode() for key in self.audit_keys)]
        return [text for text in dict.fromkeys(texts) if text]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment. Raises InvalidSettings naming each variable that is wrong, without its value."""
    values: dict[str, str] = {}
    problems: list[str] = []
    for name, info in Settings.model_fields.items():
        variable = info.alias or name
        value = environment.get(variable, "").strip()
        file = environment.get(f"{variable}_FILE", "").strip() if info.annotation is SecretStr else ""
        if file and value:
            problems.append(f"{variable} and {variable}_FILE are both set. Keep one of them.")
        elif file:
            value = _read_file(variable, file, problems)
        if value:
            values[variable] = value.upper() if variable == "LOG_LEVEL" else value
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        wrong = [str(detail["loc"][0]) for detail in error.errors(include_input=False)]
        problems += [f"{name}: {WANTED[name]}" for name in wrong]
        raise InvalidSettings("\n".join(problems)) from None
    problems += _check(settings)
    if problems:
        raise InvalidSettings("\n".join(problems))
    return settings


def require_slack(settings: Settings) -> None:
    """What `serve` needs of Slack. Raises InvalidSettings."""
    problems = []
    token = settings.slack_bot_token.get_secret_value()
    if not settings.oauth and not token.startswith(("xoxb-", "xoxe.")):
        kind = next((words for prefix, words in OTHER_TOKENS.items() if token.startswith(prefix)), "no bot token")
        problems.append(
            f"SLACK_BOT_TOKEN is {kind if token else 'missing'}. Copy the one that begins with xoxb- from the app's page:"
            " OAuth & Permissions, Bot User OAuth Token."
        )
    if settings.socket_mode and not settings.slack_app_token.get_secret_value().startswith("xapp-"):
        problems.append("SLACK_APP_TOKEN isn't an app-level token (xapp-…). Make one with the scope connections:write.")
    if not settings.socket_mode and not settings.slack_signing_secret.get_secret_value():
        problems.append(
            "SLACK_SIGNING_SECRET is missing. Copy it from the app's page: Basic Information, App Credentials;"
            " or set SLACK_APP_TOKEN to use Socket Mode."
        )
    if problems:
        raise InvalidSettings("\n".join(problems))


def require_datadog(settings: Settings) -> None:
    """Keys for Datadog: a pair, or a bearer token. Raises InvalidSettings."""
    pair = settings.dd_api_key.get_secret_value() and settings.dd_app_key.get_secret_value()
    if not pair and not settings.dd_access_token.get_secret_value():
        raise InvalidSettings(
            "Datadog's keys are missing. Set DD_API_KEY and DD_APP_KEY (the application key registered for Actions API"
            " access), or DD_ACCESS_TOKEN."
        )


def _read_file(variable: str, path: str, problems: list[str]) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't text"
        problems.append(f"{variable}_FILE: {path} can't be read: {reason}.")
        return ""


def _check(settings: Settings) -> list[str]:
    problems = []
    for word in settings.allow_actors:
        if word not in ADMISSIBLE:
            near = difflib.get_close_matches(word, ADMISSIBLE, n=1)
            hint = f" Did you mean “{near[0]}”?" if near else f" Known: {', '.join(sorted(ADMISSIBLE))}."
            problems.append(f"ALLOW_ACTORS: “{word}” is not a kind of person that can be let in.{hint}")
    if settings.dd_api_url and not is_loopback(settings.dd_api_url):
        problems.append(
            "DD_API_URL is for a stand-in on this machine only (http://127.0.0.1:…). Use DD_SITE for Datadog."
        )
    problems += [*_check_audit_key(settings), *_check_witnesses(settings)]
    if settings.traces_url and urlsplit(settings.traces_url).scheme not in ("http", "https"):
        problems.append(
            "OTEL_EXPORTER_OTLP_ENDPOINT has to begin with http:// or https://, as in http://127.0.0.1:4318."
        )
    if settings.metrics_host and not settings.metrics_port:
        problems.append("METRICS_HOST is set without METRICS_PORT. Set both, or neither to have /metrics on PORT.")
    if settings.metrics_port and (settings.metrics_host or settings.host, settings.metrics_port) == (
        settings.host,
        settings.port,
    ):
        problems.append("METRICS_PORT is PORT. Choose another, or leave it out to have /metrics there.")
    problems += _check_oauth(settings)
    if not settings.slack_api_url.startswith("https://") and not is_loopback(settings.slack_api_url):
        problems.append("SLACK_API_URL has to be https, or a stand-in on this machine (http://127.0.0.1:…/api/).")
    return problems


def _check_audit_key(settings: Settings) -> list[str]:
    words = [word.strip() for word in settings.audit_key.get_secret_value().split(",")]
    if words == [NONE]:
        return [f"AUDIT_KEY: {NONE} is no key, and stands behind one only. For a trail without a key don't set it."]
    if len(words) == 1:
        return []
    if not all(words) or len(set(words)) < len(words) or NONE in words[:-1]:
        return [
            "AUDIT_KEY: several keys stand in it with a comma between, newest first, each once and none empty;"
            f" {NONE} may stand last."
        ]
    return []


def _check_witnesses(settings: Settings) -> list[str]:
    problems = []
    url = settings.audit_witness_url.get_secret_value()
    if url and not url.startswith("https://") and not is_loopback(url):
        problems.append("AUDIT_WITNESS_URL has to be https, or an address on this machine (http://127.0.0.1:…).")
    if settings.audit_witness_datadog and not settings.dd_api_key.get_secret_value():
        problems.append("AUDIT_WITNESS_DATADOG needs DD_API_KEY: Datadog takes logs and events by API key only.")
    if settings.has_witnesses and not settings.audit_signing_key.get_secret_value():
        problems.append(
            "AUDIT_WITNESS_…: heads of the trail are sent signed. Set AUDIT_SIGNING_KEY; workflow-bot audit keygen makes one."
        )
    return problems


def _check_oauth(settings: Settings) -> list[str]:
    problems = []
    if bool(settings.slack_client_id) != bool(settings.slack_client_secret.get_secret_value()):
        there, missing = "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"
        if not settings.slack_client_id:
            there, missing = missing, there
        problems.append(
            f"{missing} is missing, and {there} is set. Copy both from the app's page: Basic Information, App Credentials;"
            " or set neither, to serve the one workspace of SLACK_BOT_TOKEN."
        )
    wrong = [word for word in settings.workspaces if not is_workspace_id(word)]
    if wrong:
        problems.append(f"WORKSPACES: “{wrong[0]}” is not the id of a workspace (T…) or an organisation (E…).")
    url = settings.public_url
    if url and not url.startswith("https://") and not (url.startswith("http://") and is_loopback(url)):
        problems.append("PUBLIC_URL has to be https, as in https://bot.example.com: Slack sends browsers to no other.")
    named = (settings.audit_channel, *settings.admins, *settings.auditors)
    if not settings.oauth and any("/" in word for word in named):
        problems.append(
            "ADMINS, AUDITORS, AUDIT_CHANNEL: an id with a workspace before it, as in T01ACME/U01ALICE, is for serving many"
            " workspaces. Set SLACK_CLIENT_ID and SLACK_CLIENT_SECRET too, or write the plain id."
        )
    return problems


def _origin(url: str) -> str:
    """Scheme, host and port: what else is in a URL may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"


def is_loopback(url: str) -> bool:
    """Whether the address is on this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
