"""Two workspaces in which everybody and everything has the same ids, on two replicas: nothing crosses over."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.runs import State
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack, LocalSlackApp, Person
from tests.acceptance.leaks import leaks
from tests.acceptance.many import ACME, ALICE, AUDIT, BETA, BOB, CARA, OPS, Many, contents, open_many
from tests.acceptance.scene import BOTH_DOORS, ONE_DATABASE, RESTART, Json, until, words
from tests.integration.command_line import command

IN_FORCE = {
    "AUDIT_CHANNEL": f"{ACME}/{AUDIT}, {BETA}/{AUDIT}",
    "ADMINS": f"{ACME}/{CARA} {BETA}/{BOB}",
    "AUDIT_KEY": "a key of the tests",
    "ENCRYPTION_KEY": "another key of the tests",
}


IN_FORCE_SECRETS = (IN_FORCE["AUDIT_KEY"], IN_FORCE["ENCRYPTION_KEY"])


@pytest.fixture
async def many(
    app: LocalSlackApp, datadog: LocalDatadog, database_url: str, door: str, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Many]:
    """In Acme Alice may restart; in Beta she needs Bob's approval. The workflow has one name and is another one in each."""
    async with open_many(app, datadog, database_url, socket=door == "socket", environment=IN_FORCE) as many:
        for workspace_id, name in ((ACME, "Acme"), (BETA, "Beta")):
            assert (await many.install(workspace_id))[0] == 200
            rule: Json = {"allow": [ALICE], "run": [RESTART], "in": [OPS]}
            approval: Json = {"approval": {"from": [BOB], "count": 1}} if workspace_id == BETA else {}
            await many.apply(workspace_id, {RESTART: workflow(datadog, name)}, [rule | approval])
        yield many
        secrets = {app.client_secret, app.signing_secret, app.app_token, *IN_FORCE_SECRETS}
        secrets |= {token for slack in app.slacks.values() for token in slack.api.bot_tokens}
        places = of_each(many) | {"main": contents(database_url), "log": caplog.text}
        assert leaks(places, secrets) == []
        assert app.strange_tokens == 0
        assert [slack.slow_answers for slack in app.slacks.values()] == [[], []]


def workflow(datadog: LocalDatadog, name: str, **behaviour: Any) -> Json:
    service: Json = {"name": "service", "type": "STRING", "allowedValues": [f"{name}-web", f"{name}-api"]}
    title = f"Restart at {name}"
    return {"id": datadog.add_workflow(name=title, parameters=[service], **behaviour), "title": title}


async def told(person: Person, *texts: str, channel: str = OPS) -> str:
    message = await person.wait_for_message(channel, lambda m: all(text in words(m) for text in texts))
    return words(message)


async def picked(person: Person) -> tuple[Json, Json]:
    """The picker, and the form of its one workflow."""
    await person.command(OPS, "/workflow")
    picker = await person.wait_for_view(lambda view: view["callback_id"] == "picker")
    await person.choose("pick_workflow", RESTART)
    return picker, await person.wait_for_view(lambda view: view["callback_id"] == "workflow_form")


async def ran_in_acme(many: Many) -> str:
    """Alice runs it in Acme, through the picker at one replica and the form at the other. Returns the run's id."""
    alice = many.acme.person(ALICE)
    many.turn_to(0)
    for view in await picked(alice):
        assert "Restart at Acme" in words(view)
        assert "Beta" not in json.dumps(view)
    many.turn_to(1)
    await alice.fill({"service": "Acme-web"})
    await alice.submit()
    await told(alice, "Restart at Acme", "succeeded after")
    return (await many.the_run(ACME, State.SUCCEEDED)).id


async def asked_in_beta(many: Many) -> str:
    """Alice asks in Beta, where it takes Bob. Returns the id of the run that waits."""
    await many.beta.person(ALICE).command(OPS, f'/workflow run {RESTART} service=Beta-web --reason "a test"')
    return (await many.the_run(BETA, State.AWAITING_APPROVAL)).id


def of_each(many: Many) -> dict[str, str]:
    """All that there is of each workspace: its database, and what was said to its Slack and in it."""
    return {
        name: contents(many.settings_of(name).database_url.get_secret_value()) + said(many.app.slacks[name])
        for name in (ACME, BETA)
    }


def said(slack: LocalSlack) -> str:
    calls = json.dumps([[call.method, call.params] for call in slack.calls])
    answers = "".join(delivered.ack.body for delivered in slack.delivered)
    return calls + answers + json.dumps([slack.messages(channel) for channel in slack.workspace.channels])


@BOTH_DOORS
async def test_no_row_option_message_or_record_crosses_over(many: Many, database_url: str, tmp_path: Path) -> None:
    run = await ran_in_acme(many)
    waiting = await asked_in_beta(many)
    many.turn_to(0)
    await many.beta.person(BOB).command(OPS, f"/workflow approve {waiting}")
    await told(many.beta.person(ALICE), "Restart at Beta", "succeeded after")
    assert sorted(e.payload["service"] for e in many.datadog.executions) == ["Acme-web", "Beta-web"]

    # A lock in one does not hold the other; a cancelled run is one's own.
    await many.acme.person(ALICE).command(OPS, f"/workflow lock {RESTART} Acme deploys for 1h")
    await told(many.acme.person(ALICE), ":lock:")
    rule: Json = {"allow": [ALICE], "run": [RESTART], "in": [OPS]}
    await many.apply(BETA, {RESTART: workflow(many.datadog, "Beta", step_seconds=60.0)}, [rule])
    await many.beta.person(ALICE).command(OPS, f"/workflow run {RESTART} service=Beta-api")
    going = await many.the_run(BETA, State.RUNNING)
    many.turn_to(1)
    await many.beta.person(ALICE).command(OPS, f"/workflow cancel {going.id}")
    await many.the_run(BETA, State.CANCELLED)

    # Home and trail show what is of the workspace.
    for slack, own, other in ((many.acme, "Acme", "Beta"), (many.beta, "Beta", "Acme")):
        await slack.person(ALICE).open_home()
        home = await slack.person(ALICE).wait_for_home()
        assert f"Restart at {own}" in words(home)
        assert other not in json.dumps(home)
    await many.acme.person(CARA).command(OPS, "/workflow audit act=ended")
    await told(many.acme.person(CARA), run)
    await many.beta.person(CARA).command(OPS, "/workflow audit act=ended")  # in Beta she is no admin
    await told(many.beta.person(CARA), "Only auditors and admins may")
    await _trails_are_apart(many, tmp_path)

    await until(lambda: _audit_channels_are_told(many))
    found = of_each(many)
    assert "beta" not in found[ACME].lower()
    assert "acme" not in found[BETA].lower()
    main = contents(database_url)
    assert not [text for text in (RESTART, ALICE + " ", "Restart at", run, waiting, "-web") if text in main]
    assert not [token for slack in many.app.slacks.values() for token in slack.api.bot_tokens if token in main]


async def _audit_channels_are_told(many: Many) -> bool:
    counts = [len(await many.records(name)) for name in (ACME, BETA)]
    shown = [json.dumps(slack.messages(AUDIT)) for slack in (many.acme, many.beta)]
    return all(
        f"*{count}*" in text or f"#{count}" in text or f"{count} " in text
        for count, text in zip(counts, shown, strict=True)
    )


async def _trails_are_apart(many: Many, folder: Path) -> None:
    """Each is one whole chain, exported and verified by itself on the command line."""
    for name, other in ((ACME, "Beta"), (BETA, "Acme")):
        verified = await command(folder, "audit", "verify", "--format", "json", **many.as_in(name))
        assert verified.code == 0, verified.words
        exported = await command(folder, "--workspace", name, "audit", "export", **many.as_in(""))
        assert exported.code == 0, exported.words
        assert f'"workspace":"{name}"' in exported.output.replace(" ", "")
        assert other not in exported.output
    unnamed = await command(folder, "audit", "tail", **many.as_in(""))
    assert unnamed.code == 2
    assert f"There are: {ACME} (Acme), {BETA} (Beta)" in " ".join(unnamed.words.split())


@ONE_DATABASE
async def test_what_is_named_or_pressed_in_another_workspace_does_not_count_there(many: Many) -> None:
    waiting = await asked_in_beta(many)
    acme = many.acme
    for person in (acme.person(ALICE), acme.person(BOB), acme.person(CARA)):
        for typed in (f"status {waiting}", f"cancel {waiting}", f"approve {waiting}", f"refuse {waiting} no"):
            await person.command(OPS, f"/workflow {typed}")
    await until(lambda: _answered(acme, 12))
    assert "Beta" not in said(acme)
    asked = await many.beta.person(BOB).wait_for_message(many.beta.person(BOB).dm, lambda m: "asks to run" in words(m))
    pressed = many.beta.person(BOB).button_payload("Approve", asked)
    for forged in _envelopes(pressed):
        await acme.deliver("interactive", forged)
    assert (await many.the_run(BETA, State.AWAITING_APPROVAL)).id == waiting
    assert await many.runs(ACME) == []
    assert [record["act"] for record in await many.records(BETA) if record["act"] in ("approved", "cancel asked")] == []


async def _answered(slack: LocalSlack, count: int) -> bool:
    people = [slack.person(user) for user in (ALICE, BOB, CARA)]
    return sum(len(person.ephemerals(OPS)) + len(person.views) for person in people) >= count


def _envelopes(pressed: Json) -> list[Json]:
    """A press of Beta's, as if it had been made in Acme, in an organisation that has no bot, and in no workspace at all."""
    own, person = copy.deepcopy(pressed), copy.deepcopy(pressed)
    own["team"], own["user"]["team_id"] = {"id": ACME}, ACME
    person["user"]["team_id"] = ACME  # somebody of Acme, in Beta
    wide = copy.deepcopy(pressed) | {"is_enterprise_install": True, "enterprise": {"id": "E01NONE"}, "team": None}
    pressed = {name: value for name, value in pressed.items() if name != "response_url"}  # good for five uses
    nowhere = [copy.deepcopy(pressed) | {"team": {"id": team}} for team in ("T99NONE", "../T02BETA", "workspace", "")]
    return [own, person, wide, *nowhere]


@ONE_DATABASE
async def test_a_form_of_one_workspace_submitted_by_somebody_of_another_starts_nothing(many: Many) -> None:
    alice = many.acme.person(ALICE)
    await picked(alice)
    await alice.fill({"service": "Acme-web"})
    form = alice.submission()
    stranger = copy.deepcopy(form)
    stranger["team"], stranger["user"]["team_id"] = {"id": BETA}, BETA  # the view is still Acme's
    moved = copy.deepcopy(stranger)
    moved["view"]["app_installed_team_id"] = moved["view"]["team_id"] = BETA  # and now it is Beta's
    for payload in (stranger, moved):
        ack = await many.acme.deliver("interactive", payload)
        assert ack.ok
    unknown = copy.deepcopy(form)
    unknown["view"]["app_installed_team_id"] = "T99NONE"
    ack = await many.acme.deliver("interactive", unknown)
    assert "is not installed in this workspace" in json.dumps(ack.json)
    await asyncio.sleep(0.2)
    assert many.datadog.executions == []
    assert (
        await many.runs(ACME)
        == []
        == [run for run in await many.runs(BETA) if run.state is not State.AWAITING_APPROVAL]
    )


@ONE_DATABASE
async def test_a_command_from_where_the_bot_is_not_installed_is_refused_with_a_sentence(many: Many) -> None:
    payload = many.acme.client.payloads.slash_command(ALICE, many.acme.workspace.channels[OPS], "help")
    for changed in (
        {"team_id": "T99NONE"},
        {"team_id": "x"},
        {"enterprise_id": "E01NONE", "is_enterprise_install": "true"},
    ):
        ack = await many.acme.deliver("command", payload | changed)
        assert ack.ok
        assert "is not installed in this workspace" in ack.body


@ONE_DATABASE
async def test_no_request_asks_slack_who_the_bot_is(many: Many) -> None:
    before = len(many.acme.calls_of("auth.test"))
    await ran_in_acme(many)
    assert len(many.acme.calls_of("auth.test")) == before == 1  # when it was installed
