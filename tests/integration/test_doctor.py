"""Each fault is shown to doctor, which names it and says what to do. Those of the database are in test_doctor_database.py."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from bot.cli.doctor.findings import Area
from bot.cli.manifest import build_manifest
from bot.sandbox import demo
from tests.integration.command_line import bare_environment
from tests.integration.doctor import Installation, in_order

Spoil = Callable[[Installation], object]


@pytest.fixture
async def well(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    async with in_order(sqlite_url, tmp_path) as installation:
        yield installation


def setting(**values: str) -> Spoil:
    return lambda well: well.environment.update(values)


def policy_file(text: str) -> Spoil:
    return lambda well: (well.folder / "workflows.yml").write_text(text)


async def test_with_everything_in_order_there_is_nothing_to_mend(well: Installation) -> None:
    rows = await well.doctor()
    assert {row["check"] for row in rows if row["state"] != "ok"} == {"Replicas"}  # nothing serves yet
    assert {row["area"] for row in rows} == set(Area)
    assert {"Connection", "Scopes", "AUDIT_CHANNEL", "Keys", "Policy file", "Channel C01OPS"} <= {
        r["check"] for r in rows
    }
    assert "Workflow rotate-credentials" in {row["check"] for row in rows}
    assert not well.slack.violations
    assert not well.datadog.executions


async def test_an_area_is_asked_about_by_itself(well: Installation) -> None:
    well.environment["DD_APP_KEY"] = "wrong"
    assert await well.states("slack", "policy") == {"ok"}
    assert {row["area"] for row in await well.doctor("slack", "policy")} == {"slack", "policy"}
    assert "fail" in await well.states("datadog")
    assert (await well.run("doctor", "moon")).code == 2


TOKENS = [
    ("invalid_auth", "Slack doesn't know it"),
    ("token_revoked", "it was revoked. Install the app again."),
    ("account_inactive", "taken out of the workspace"),
    ("token_expired", "token rotation is on"),
    ("not_allowed_token_type", "a token of another kind"),
]


@pytest.mark.parametrize(("error", "words"), TOKENS)
async def test_a_token_that_slack_refuses_is_told_with_the_reason(well: Installation, error: str, words: str) -> None:
    well.slack.faults.fail("auth.test", error)
    assert words in await well.finding("SLACK_BOT_TOKEN")


@pytest.mark.parametrize("scope", build_manifest("/workflow", None)["oauth_config"]["scopes"]["bot"])
async def test_each_missing_scope_is_named(well: Installation, scope: str) -> None:
    well.slack.scopes.discard(scope)
    said = await well.finding("Scopes", "slack")
    assert f"missing: {scope}." in said
    assert "install the app again" in said


FAULTS: list[tuple[str, Spoil, str, str]] = [
    # Settings
    ("a setting that is wrong", setting(LOG_FORMAT="xml"), "Settings", "LOG_FORMAT"),
    ("no bot token", setting(SLACK_BOT_TOKEN=""), "Settings", "SLACK_BOT_TOKEN is missing"),
    ("a token of another kind", setting(SLACK_BOT_TOKEN="xoxp-1-2"), "SLACK_BOT_TOKEN", "is a user token (xoxp-…)"),
    ("no Datadog keys", setting(DD_APP_KEY=""), "Settings", "Datadog's keys are missing"),
    ("a secret's file that is not there", setting(AUDIT_KEY="", AUDIT_KEY_FILE="/no"), "Settings", "AUDIT_KEY_FILE: /no"),
    # Slack
    ("another token", setting(SLACK_BOT_TOKEN="xoxb-wrong"), "SLACK_BOT_TOKEN", "invalid_auth"),
    ("no Slack", setting(SLACK_API_URL="http://127.0.0.1:1/api/"), "SLACK_BOT_TOKEN", "Slack can't be reached"),
    ("no signing secret", setting(SLACK_SIGNING_SECRET=""), "SLACK_SIGNING_SECRET", "Basic Information"),
    ("a token for a secret", setting(SLACK_SIGNING_SECRET="xoxb-1"), "SLACK_SIGNING_SECRET", "it is a token"),
    ("an app token that is none", setting(SLACK_APP_TOKEN="xoxb-1"), "SLACK_APP_TOKEN", "isn't an app-level token"),
    ("another app token", setting(SLACK_APP_TOKEN="xapp-1"), "SLACK_APP_TOKEN", "refuses it (invalid_auth)"),
    ("an admin who isn't there", setting(ADMINS="U01ALICE,U0NOBODY"), "ADMINS", "U0NOBODY (nobody has this id)"),
    ("an audit channel that isn't there", setting(AUDIT_CHANNEL="C09NONE"), "AUDIT_CHANNEL", "invite the bot"),
    # Datadog
    ("a site that isn't one", setting(DD_SITE="datadog.eu"), "Site", "did you mean datadoghq.eu?"),
    ("a site without workflows", setting(DD_SITE="ddog-gov.com"), "Site", "doesn't support Workflow Automation"),
    ("an API key of another site", setting(DD_API_KEY="wrong"), "Keys", "is not valid on datadoghq.com"),
    ("an application key that doesn't fit", setting(DD_APP_KEY="wrong"), "Keys", "not valid together with the API key"),
    ("a key with a space", setting(DD_APP_KEY="a b"), "Keys", "contains a space"),
    ("no Datadog", setting(DD_API_URL="http://127.0.0.1:1"), "Keys", "Check the network"),
    # Policy
    ("a policy with an error", policy_file("version: 2\n"), "Policy file", "policy files of version 1"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "check", "words"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
async def test_what_is_wrong_is_named_with_what_to_do(well: Installation, spoil: Spoil, check: str, words: str) -> None:
    spoil(well)
    assert words in await well.finding(check)


# ---------------------------------------------------------------------------------------------------------------- files


async def test_a_secret_that_everybody_on_the_machine_can_read_is_looked_at(well: Installation, tmp_path: Path) -> None:
    file = tmp_path / "app key"
    file.write_text(well.environment.pop("DD_APP_KEY"))
    well.environment["DD_APP_KEY_FILE"] = str(file)
    file.chmod(0o644)
    assert f"DD_APP_KEY_FILE ({file})" in await well.finding("Secret files", "settings", state="look")
    file.chmod(0o440)
    assert await well.states("settings") == {"ok"}


async def test_the_files_of_a_policys_accounts_are_looked_at_too(well: Installation) -> None:
    with (well.folder / "workflows.yml").open("a") as file:
        file.write("accounts: { eu: { site: datadoghq.eu, api_key_env: EU_API, app_key_env: EU_APP } }\n")
    assert "EU_API is not set" in await well.finding("Keys eu", "datadog")
    well.environment |= {"EU_API_FILE": "/no/such/file", "EU_APP": "x"}
    assert "EU_API_FILE (/no/such/file: No such file" in await well.finding("Secret files", "settings")
    well.environment |= {"EU_API_FILE": "", "EU_API": "wrong"}
    assert "the API key is not valid on datadoghq.eu" in await well.finding("Keys eu", "datadog")


async def test_what_is_better_set_is_said_and_fails_nothing(well: Installation) -> None:
    well.environment |= dict.fromkeys(["ADMINS", "AUDIT_CHANNEL", "ENCRYPTION_KEY", "AUDIT_KEY"], "")
    well.environment["DATABASE_URL"] = "sqlite:///new.db"
    rows = await well.doctor("settings")
    assert [(row["check"], row["state"]) for row in rows if row["state"] != "ok"] == [
        ("ADMINS", "look"),
        ("AUDIT_CHANNEL", "look"),
        ("ENCRYPTION_KEY", "look"),
        ("AUDIT_KEY", "look"),
    ]
    assert not (well.folder / "new.db").exists()  # looking makes nothing


async def test_a_name_where_a_persons_id_belongs_is_looked_at(well: Installation) -> None:
    well.environment |= {"ADMINS": f"{demo.ALICE} alice", "AUDITORS": "@bob"}
    assert "alice: not the form of a person's id" in await well.finding("ADMINS", "settings", state="look")
    assert "@bob: not the form" in await well.finding("AUDITORS", "settings", state="look")


async def test_where_secrets_are_is_not_told_when_there_are_none(well: Installation) -> None:
    said = await well.finding("Secret files", "settings", state="ok")
    assert said.startswith("none; secrets are in the environment")
    well.environment = {"PORT": "0"}
    assert (await well.finding("Secret files", "settings", state="ok")).startswith("none; no secret is set")


async def test_a_stand_in_for_datadog_is_named_beside_the_site(well: Installation) -> None:
    said = await well.finding("Site", "datadog", state="ok")
    assert f"datadoghq.com; yet DD_API_URL leads to a stand-in, {well.datadog.url}" in said


# ---------------------------------------------------------------------------------------------------------------- Slack


async def test_clocks_that_differ_are_told_by_the_answers_of_slack_and_datadog(well: Installation) -> None:
    well.slack.faults.clock_skew = 400
    well.datadog.faults.clock_skew = -30
    assert "s behind Slack's. Set this machine's clock by NTP" in await well.finding("Clock", "slack")
    assert "s ahead of Datadog's." in await well.finding("Clock", "datadog", state="look")


async def test_an_app_token_without_its_scope_is_told(well: Installation) -> None:
    well.environment["SLACK_APP_TOKEN"] = well.slack.app_token
    well.slack.workspace.app_token_scopes.clear()
    assert "it has no scope connections:write" in await well.finding("SLACK_APP_TOKEN", "slack")


async def test_a_signing_secret_of_the_wrong_form_is_looked_at(well: Installation) -> None:
    well.environment["SLACK_SIGNING_SECRET"] = "1234.5678"
    assert "doesn't look like one" in await well.finding("SLACK_SIGNING_SECRET", "slack", state="look")


async def test_a_deactivated_admin_is_told(well: Installation) -> None:
    well.slack.workspace.members[demo.ALICE].deleted = True
    assert "U01ALICE (deactivated)" in await well.finding("ADMINS", "slack")


async def test_channels_in_which_the_bot_is_not_or_others_read_along_are_told(well: Installation) -> None:
    audit, ops = (well.slack.workspace.channels[channel] for channel in (demo.AUDIT, demo.OPS))
    audit.bot_is_member = ops.bot_is_member = False
    assert "/invite @workflow-bot" in await well.finding("AUDIT_CHANNEL", "slack", state="look")
    assert "the bot is not in #ops" in await well.finding("Channel C01OPS", "slack", state="look")
    audit.is_private = True
    assert "a private channel that it isn't in can't be seen" in await well.finding("AUDIT_CHANNEL", "slack")
    audit.is_private, audit.is_ext_shared, ops.is_ext_shared = False, True, True
    assert "shared with another company" in await well.finding("AUDIT_CHANNEL", "slack")
    assert "shared with another company" in await well.finding("Channel C01OPS", "slack", state="look")
    ops.is_archived = True
    assert "#ops is archived" in await well.finding("Channel C01OPS", "slack")
    del well.slack.workspace.channels[demo.OPS]
    assert "can't be seen (channel_not_found)" in await well.finding("Channel C01OPS", "slack")


async def test_a_user_group_that_rules_name_and_slack_does_not_know_is_told(well: Installation) -> None:
    with_group = (well.folder / "workflows.yml").read_text().replace("users: [U01ALICE]", "groups: [S01SRE, S02GONE]")
    policy_file(with_group)(well)
    well.slack.add_group("S01SRE", [demo.ALICE])
    said = await well.finding("User groups", "slack")
    assert "S02GONE (no such group)" in said
    assert "S01SRE" not in said
    well.slack.add_group("S02GONE", [])
    assert "2 that rules name are there" in await well.finding("User groups", "slack", state="ok")


async def test_channels_and_user_groups_of_approvals_are_looked_at_too(well: Installation) -> None:
    policy = {
        "version": 1,
        "workflows": {"w": {"id": next(iter(well.datadog._workflows))}},
        "rules": [{"allow": ["*"], "run": ["w"], "approval": {"from": ["S0GONE"], "channel": "C0GONE"}}],
    }
    policy_file(json.dumps(policy))(well)
    assert await well.finding("Policy file", "policy", state="ok")
    assert "S0GONE (no such group)" in await well.finding("User groups", "slack")
    assert "channel_not_found" in await well.finding("Channel C0GONE", "slack")


async def test_what_slack_limits_is_asked_again(well: Installation) -> None:
    well.slack.faults.fail("conversations.info", "ratelimited", retry_after=1, times=1)
    assert await well.states("slack") == {"ok"}


# -------------------------------------------------------------------------------------------------------------- Datadog


async def test_keys_that_are_valid_but_have_no_access_to_the_actions_api_are_told(well: Installation) -> None:
    for status in (401, 403):
        well.datadog.faults.status = status
        said = await well.finding("Actions API access", "datadog")
        assert "the keys are valid, yet they may not read workflows" in said
        assert "registered for Actions API access" in said


async def test_keys_that_may_read_a_workflow_and_not_run_it_are_told_without_running_anything(
    well: Installation,
) -> None:
    well.datadog.faults.status, well.datadog.faults.on = 403, "cancel"
    said = await well.finding("Workflow restart-service", "datadog")
    assert "workflows_run" in said
    assert "Runner" in said
    assert not well.datadog.executions


async def test_workflows_that_are_gone_or_can_not_be_run_are_told(well: Installation) -> None:
    def id_of(name: str) -> str:
        return next(w.id for w in well.datadog._workflows.values() if w.name == name)

    well.datadog.remove_workflow(gone := id_of("Scale a service"))
    well.datadog.change_workflow(id_of("Restart a service"), published=False)
    spec = well.datadog._workflows[id_of("Rotate credentials")].spec
    spec["triggers"] = [{"workflowTrigger": {}}]
    rows = {row["check"]: row["found"] for row in await well.doctor("datadog") if row["state"] == "fail"}
    assert rows == {
        "Workflow scale-service": f"Datadog has no workflow {gone}.",
        "Workflow restart-service": "can't be run by API: not published.",
        "Workflow rotate-credentials": "can't be run by API: no API trigger.",
    }


async def test_workflows_of_an_account_whose_keys_are_wrong_are_not_told_of_one_by_one(well: Installation) -> None:
    well.environment["DD_API_KEY"] = "wrong"
    rows = await well.doctor("datadog")
    assert [row["check"] for row in rows if row["state"] == "fail"] == ["Keys"]


async def test_a_site_in_preview_is_looked_at(well: Installation) -> None:
    well.environment["DD_SITE"] = "us2.ddog-gov.com"
    assert "only in preview" in await well.finding("Site", "datadog", state="look")


# --------------------------------------------------------------------------------------------------------------- policy


async def test_a_policy_that_was_changed_and_not_applied_is_looked_at(well: Installation) -> None:
    with (well.folder / "workflows.yml").open("a") as file:
        file.write("# a word\n")
    assert "version 1, from another text" in await well.finding("Policy in force", "policy", state="look")


async def test_a_policy_file_that_is_missing_fails_only_where_none_is_in_force(well: Installation) -> None:
    (well.folder / "workflows.yml").unlink()
    assert "what is in force stays so" in await well.finding("Policy file", "policy", state="look")
    assert "Workflow restart-service" in {row["check"] for row in await well.doctor("datadog")}  # known all the same
    well.environment["DATABASE_URL"] = "sqlite:///new.db"
    assert (await well.run("db", "upgrade")).code == 0
    assert "docs/policy.md" in await well.finding("Policy file", "policy")
    assert "policy apply" in await well.finding("Policy in force", "policy")


# ------------------------------------------------------------------------------------------------------ the app's manifest


async def test_the_apps_own_manifest_is_compared_with_what_this_deployment_needs(well: Installation) -> None:
    manifest = build_manifest("/workflow", "https://bot.example.com")
    file = well.folder / "app.json"
    file.write_text(json.dumps(manifest))
    arguments = ("slack", "--manifest", str(file))
    assert "has all that this deployment needs" in await well.finding("App manifest", *arguments, state="ok")
    manifest["features"]["slash_commands"][0]["command"] = "/wf"
    manifest["oauth_config"]["scopes"]["bot"].remove("files:write")
    manifest["settings"]["event_subscriptions"]["bot_events"].remove("user_change")
    manifest["settings"]["interactivity"]["message_menu_options_url"] = "http://bot.example.com/"
    YAML().dump(manifest, file)
    said = await well.finding("App manifest", *arguments)
    for words in (
        "no slash command /workflow",
        "there is: /wf",
        "lacks files:write",
        "lacks user_change",
        "options has",
    ):
        assert words in said
    well.environment["SLACK_APP_TOKEN"] = well.slack.app_token
    assert "Socket Mode is off, and SLACK_APP_TOKEN is set" in await well.finding("App manifest", *arguments)
    file.write_text("[")
    assert "can't be read" in await well.finding("App manifest", *arguments)


# ------------------------------------------------------------------------------------------------------------- its looks


async def test_a_port_that_is_taken_is_told(well: Installation) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        well.environment["PORT"] = str(other.getsockname()[1])
        assert "address already in use" in await well.finding("PORT", "serving")
    assert await well.states("serving") == {"ok", "look"}


async def test_lines_for_no_terminal_are_whole_and_end_where_their_words_end(well: Installation) -> None:
    well.environment |= {"COLUMNS": "80", "ENCRYPTION_KEY": ""}
    lines = (await well.run("doctor")).output.splitlines()
    assert lines == [line.rstrip() for line in lines]
    (found,) = [line for line in lines if "look  ENCRYPTION_KEY" in line]
    assert found.endswith("and lost when that is changed.")
    assert len(found) > 120


async def test_people_read_it_by_area_with_a_count_at_the_end(well: Installation) -> None:
    well.slack.scopes.discard("files:write")
    ended = await well.run("doctor")
    assert ended.code == 1
    assert "Slack\n  ok  SLACK_BOT_TOKEN" in ended.output
    assert "fail  Scopes                          missing: files:write." in ended.output
    assert "→ Add them at OAuth & Permissions" in ended.output
    assert "1 to mend, 1 to look at," in ended.output.splitlines()[-1]


def test_who_waits_on_a_terminal_is_told_what_takes_so_long(tmp_path: Path) -> None:
    # A server that takes connections and says nothing; `script` gives the command a terminal.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        environment = bare_environment(tmp_path, {"SLACK_BOT_TOKEN": "xoxb-1", "TERM": "xterm"})
        environment["SLACK_API_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}/api/"
        program = ["script", "-qec", f"{sys.executable} -m bot doctor slack", os.devnull]
        process = subprocess.Popen(
            program, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        assert isinstance(process.stdout, io.BufferedReader)
        shown = b""
        try:
            while b"looking at whether Slack takes the bot" not in shown:
                more = process.stdout.read1(1000)
                assert more, shown
                shown += more
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
