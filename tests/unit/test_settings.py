from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from bot.domain.errors import InvalidSettings
from bot.domain.people import Kind
from bot.settings import WANTED, Settings, read_settings, require_datadog, require_slack

EVERY = {
    "SLACK_BOT_TOKEN": "xoxb-bot-token",
    "SLACK_SIGNING_SECRET": "signing-secret",
    "SLACK_APP_TOKEN": "xapp-app-token",
    "SLACK_CLIENT_ID": "12345.67890",
    "SLACK_CLIENT_SECRET": "client-secret",
    "WORKSPACES": "T01ACME, E01GRID",
    "PUBLIC_URL": "https://bot.example.com",
    "SLACK_API_URL": "http://127.0.0.1:9/api/",
    "SLACK_COMMAND": "/run-it",
    "DD_SITE": "datadoghq.eu",
    "DD_API_KEY": "api-key",
    "DD_APP_KEY": "app-key",
    "DD_ACCESS_TOKEN": "access-token",
    "DD_API_URL": "http://localhost:8",
    "DATABASE_URL": "postgresql://bot:password@db/bot",
    "AUDIT_CHANNEL": "C01AUDIT",
    "AUDIT_KEY": "audit-key",
    "AUDIT_SIGNING_KEY": "audit-signing-key",
    "AUDIT_WITNESS_PATH": "/mnt/witness/heads.jsonl",
    "AUDIT_WITNESS_DATADOG": "logs",
    "AUDIT_WITNESS_URL": "https://example.com/hook/audit-witness",
    "ENCRYPTION_KEY": "new old",
    "ADMINS": "U01ALICE, U02BOB",
    "AUDITORS": "U03CARA",
    "ALLOW_ACTORS": "guest external",
    "POLICY_FILE": "/etc/policy.yml",
    "HOST": "0.0.0.0",  # noqa: S104 - only read here, nothing listens
    "PORT": "8080",
    "METRICS_HOST": "127.0.0.2",
    "METRICS_PORT": "9090",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://traces.example.com/in",
    "OTEL_EXPORTER_OTLP_HEADERS": "api-key=of-the-collector",
    "LOG_LEVEL": "debug",
    "LOG_FORMAT": "json",
}
SECRETS = [info.alias or "" for info in Settings.model_fields.values() if info.annotation is SecretStr]


def error_of(**environment: str) -> str:
    with pytest.raises(InvalidSettings) as error:
        read_settings(environment)
    return str(error.value)


def test_every_setting_is_read_from_its_variable() -> None:
    assert set(EVERY) == {info.alias for info in Settings.model_fields.values()}
    settings, defaults = read_settings(EVERY), Settings()
    same = [name for name in Settings.model_fields if getattr(settings, name) == getattr(defaults, name)]
    assert same == []
    assert settings.admins == ("U01ALICE", "U02BOB")
    assert settings.admitted == {Kind.GUEST, Kind.EXTERNAL}
    assert (settings.port, settings.log_level, settings.policy_file) == (8080, "DEBUG", Path("/etc/policy.yml"))


def test_nothing_has_to_be_set_and_empty_means_not_set() -> None:
    assert read_settings({}) == Settings()
    assert read_settings(dict.fromkeys(EVERY, " ")) == Settings()
    assert read_settings({}).host == "127.0.0.1"
    assert not read_settings({}).socket_mode


def test_spans_go_to_the_collector_that_is_named() -> None:
    assert read_settings({}).traces_url == ""
    general = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}
    assert read_settings(general).traces_url == "http://collector:4318/v1/traces"
    own = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://traces.example.com/in"}
    assert read_settings(general | own).traces_url == "https://traces.example.com/in"
    assert "has to begin with http" in error_of(OTEL_EXPORTER_OTLP_ENDPOINT="collector:4317")


def test_metrics_have_an_address_of_their_own_or_none() -> None:
    assert not read_settings({"PORT": "3000"}).metrics_apart
    assert read_settings({"PORT": "3000", "METRICS_PORT": "9090"}).metrics_apart
    assert read_settings({"PORT": "3000", "METRICS_PORT": "3000", "METRICS_HOST": "127.0.0.2"}).metrics_apart
    assert "METRICS_PORT is PORT" in error_of(PORT="3000", METRICS_PORT="3000")
    assert "METRICS_HOST is set without METRICS_PORT" in error_of(METRICS_HOST="127.0.0.2")


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(EVERY[name] + "\n")
    more = {} if name == "AUDIT_SIGNING_KEY" else {"AUDIT_SIGNING_KEY": "which witnesses need"}
    more |= {"SLACK_CLIENT_ID": "1.2"} if name == "SLACK_CLIENT_SECRET" else {}
    settings = read_settings({f"{name}_FILE": str(path), **more})
    assert EVERY[name] in settings.secrets()
    assert (
        error_of(**{name: EVERY[name], f"{name}_FILE": str(path), **more})
        == f"{name} and {name}_FILE are both set. Keep one of them."
    )
    assert error_of(**{f"{name}_FILE": str(tmp_path / "none")}).startswith(f"{name}_FILE: ")


def test_of_several_keys_each_is_a_secret() -> None:
    secrets = read_settings({"AUDIT_KEY": "newest, older,none", "ENCRYPTION_KEY": "other-new,other-old"}).secrets()
    assert {"newest", "older", "other-new", "other-old"} <= set(secrets)
    assert "none" not in secrets


def test_a_secret_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"\xff\xfe")
    assert "it isn't text" in error_of(DD_API_KEY_FILE=str(path))


def test_settings_show_no_secret() -> None:
    shown = repr(read_settings(EVERY)) + str(read_settings(EVERY))
    assert [name for name in SECRETS if EVERY[name] in shown] == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "http-secret", "PORT: not a port. It is a number from 0 to 65535."),
        ("PORT", "70000", "PORT: not a port. It is a number from 0 to 65535."),
        ("METRICS_PORT", "-1", "METRICS_PORT: not a port."),
        ("LOG_LEVEL", "loud-secret", "LOG_LEVEL: it is DEBUG, INFO, WARNING or ERROR."),
        ("LOG_FORMAT", "xml-secret", "LOG_FORMAT: it is text or json."),
        ("SLACK_CLIENT_ID", "an-id-secret", "SLACK_CLIENT_ID: not a client id. It is two numbers"),
        ("SLACK_COMMAND", "workflow-secret", "SLACK_COMMAND: not a slash command."),
        ("AUDIT_CHANNEL", "#audit-secret", "AUDIT_CHANNEL: not a channel's id (C…)"),
        ("DD_API_URL", "https://evil.example/secret", "DD_API_URL is for a stand-in on this machine only"),
        ("DD_API_URL", "http://127.0.0.1@evil.example", "DD_API_URL is for a stand-in"),
        ("DD_API_URL", "http://localhost.evil.example", "DD_API_URL is for a stand-in"),
        ("SLACK_API_URL", "http://evil.example/api/", "SLACK_API_URL has to be https"),
        ("AUDIT_WITNESS_URL", "http://evil.example/secret", "AUDIT_WITNESS_URL has to be https"),
        ("AUDIT_WITNESS_URL", "https://witness.example/secret", "Set AUDIT_SIGNING_KEY; workflow-bot audit keygen makes"),
        ("AUDIT_WITNESS_PATH", "/mnt/secret/heads.jsonl", "Set AUDIT_SIGNING_KEY"),
        ("AUDIT_WITNESS_DATADOG", "metrics-secret", "AUDIT_WITNESS_DATADOG: it is logs or events"),
        ("AUDIT_WITNESS_DATADOG", "logs", "AUDIT_WITNESS_DATADOG needs DD_API_KEY"),
        ("ALLOW_ACTORS", "guests", "ALLOW_ACTORS: “guests” is not a kind of person that can be let in. Did you mean “guest”?"),
        ("ALLOW_ACTORS", "everybody", "Known: bot, external, guest."),
        ("ALLOW_ACTORS", "deactivated", "“deactivated” is not a kind of person that can be let in"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_the_variables_name(name: str, value: str, words: str) -> None:
    error = error_of(**{name: value})
    assert words in error
    assert "secret" not in error


def test_every_wrong_setting_is_told_at_once() -> None:
    lines = error_of(PORT="x", LOG_FORMAT="xml", DD_API_KEY_FILE="/nowhere/at-all").split("\n")
    assert len(lines) == 3


def test_serving_needs_a_bot_token_and_a_way_to_trust_requests() -> None:
    with pytest.raises(InvalidSettings, match=r"(?s)SLACK_BOT_TOKEN is missing.*SLACK_SIGNING_SECRET is missing"):
        require_slack(read_settings({}))
    with pytest.raises(InvalidSettings, match="SLACK_BOT_TOKEN is a user token") as error:
        require_slack(read_settings({"SLACK_BOT_TOKEN": "xoxp-user-token", "SLACK_SIGNING_SECRET": "s"}))
    assert "xoxp-user-token" not in str(error.value)
    with pytest.raises(InvalidSettings, match="isn't an app-level token"):
        require_slack(read_settings({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xoxb-1"}))
    require_slack(read_settings({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s"}))
    require_slack(read_settings({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}))


def test_datadog_needs_a_pair_of_keys_or_a_bearer_token() -> None:
    for keys in ({}, {"DD_API_KEY": "a"}, {"DD_APP_KEY": "b"}):
        with pytest.raises(InvalidSettings, match="DD_API_KEY and DD_APP_KEY"):
            require_datadog(read_settings(keys))
    require_datadog(read_settings({"DD_API_KEY": "a", "DD_APP_KEY": "b"}))
    require_datadog(read_settings({"DD_ACCESS_TOKEN": "t"}))


def test_half_of_an_oauth_app_is_an_error_that_names_the_other_half() -> None:
    assert error_of(SLACK_CLIENT_ID="1.2").startswith("SLACK_CLIENT_SECRET is missing, and SLACK_CLIENT_ID is set.")
    assert error_of(SLACK_CLIENT_SECRET="s").startswith("SLACK_CLIENT_ID is missing, and SLACK_CLIENT_SECRET is set.")


def test_workspaces_and_the_public_address_are_checked() -> None:
    assert "WORKSPACES: “acme” is not the id" in error_of(WORKSPACES="T01ACME acme")
    for url in ("http://bot.example.com", "bot.example.com", "ftp://127.0.0.1"):
        assert "PUBLIC_URL has to be https" in error_of(PUBLIC_URL=url)


@pytest.mark.parametrize("page", ["", "/", "/slack", "/slack/install", "/slack/oauth_redirect", "/slack/events/"])
def test_the_public_address_may_be_that_of_one_of_the_bots_pages(page: str) -> None:
    for base in ("https://bot.example.com", "https://example.com/bot", "https://slack"):
        assert read_settings({"PUBLIC_URL": base + page}).public_url == base


def test_every_setting_that_can_have_a_wrong_form_says_the_right_one() -> None:
    with pytest.raises(ValidationError) as error:
        Settings.model_validate(dict.fromkeys(EVERY, "\0"))
    assert {detail["loc"][0] for detail in error.value.errors()} == set(WANTED)


def test_serving_many_needs_no_bot_token_and_knows_people_by_their_workspace_alone() -> None:
    oauth = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s", "SLACK_SIGNING_SECRET": "signing"}
    settings = read_settings(oauth | {"ADMINS": "T01ACME/U01ALICE U02BOB", "AUDIT_CHANNEL": "T01ACME/C01AUDIT"})
    require_slack(settings)
    assert settings.plain_ids == ["ADMINS: U02BOB"]
    assert "is for serving many workspaces" in error_of(ADMINS="T01ACME/U01ALICE")
