"""Uninstalling in either order, coming back, and tokens that are exchanged by one replica."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain import installations
from bot.domain.errors import NotRecorded
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlackApp
from tests.acceptance.many import ACME, ALICE, OPS, Many, contents, open_many
from tests.acceptance.scene import BOTH_DOORS, ONE_DATABASE, until
from tests.integration.command_line import command

ORDERS = [("tokens_revoked", "app_uninstalled"), ("app_uninstalled", "tokens_revoked"), ("tokens_revoked",)]


@pytest.fixture
def rotates() -> bool:
    return False


@pytest.fixture
async def many(
    app: LocalSlackApp,
    datadog: LocalDatadog,
    database_url: str,
    door: str,
    rotates: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Many]:
    monkeypatch.setattr("bot.use_cases.pace.INSTALLATIONS", 0.05)
    app.rotates = rotates
    async with open_many(
        app, datadog, database_url, socket=door == "socket", environment={"ENCRYPTION_KEY": "old-key"}
    ) as many:
        assert (await many.install(ACME))[0] == 200
        yield many


async def served(many: Many) -> list[bool]:
    return [ACME in replica.bot.served.open() for replica in many.replicas]


@BOTH_DOORS
@pytest.mark.parametrize("order", ORDERS)
async def test_in_whichever_order_slack_tells_the_token_is_erased_and_no_replica_serves(
    many: Many, order: tuple[str, ...], database_url: str
) -> None:
    await until(lambda: _all_serve(many, True))
    await many.app.uninstall(many.acme, order=order)
    found = await many.installation(ACME)
    assert (found.token, found.refresh_token, found.is_installed) == ("", "", False)
    ack = await many.acme.deliver(
        "command", many.acme.client.payloads.slash_command(ALICE, many.acme.workspace.channels[OPS], "help")
    )
    assert "is not installed in this workspace" in ack.body
    await until(lambda: _all_serve(many, False))
    await many.wait_for_act(ACME, "workspace removed")
    assert await many.acts(ACME) == ["workspace installed", "workspace removed"]


async def _all_serve(many: Many, wanted: bool) -> bool:
    return await served(many) == [wanted, wanted]


@ONE_DATABASE
async def test_coming_back_goes_on_with_what_was_there_and_a_late_event_does_no_harm(many: Many) -> None:
    late = many.app.departure(many.acme, "app_uninstalled")
    await many.app.uninstall(many.acme)
    await many.wait_for_act(ACME, "workspace removed")
    late["event_time"] -= 60
    assert (await many.install(ACME))[0] == 200
    await many.acme.delivery.send_event(late)  # Slack repeats an event after minutes
    assert (await many.installation(ACME)).is_installed
    await many.acme.person(ALICE).open_home()
    await many.acme.person(ALICE).wait_for_home()
    assert await many.acts(ACME) == ["workspace installed", "workspace removed", "workspace installed"]


@ONE_DATABASE
async def test_a_departure_that_can_not_be_written_down_is_told_again(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise NotRecorded

    with monkeypatch.context() as patch:
        patch.setattr("bot.storage.installations.InstallationRows.remove_installation", away)
        await many.app.uninstall(many.acme, order=())
        ack = await many.acme.deliver("event", many.app.departure(many.acme, "app_uninstalled"))
        assert (ack.status, ack.ok) == (503, False)
    assert (await many.acme.deliver("event", many.app.departure(many.acme, "app_uninstalled"))).ok
    assert not (await many.installation(ACME)).is_installed


@ONE_DATABASE
async def test_of_a_departure_in_the_second_of_a_new_installation_slack_says_whether_it_is_meant(many: Many) -> None:
    installed_at = int((await many.installation(ACME)).installed_at.timestamp())
    event = many.app.departure(many.acme, "app_uninstalled") | {"event_time": installed_at}
    many.acme.faults.fail("auth.test", "internal_error", status=500, times=1)
    assert (await many.acme.deliver("event", event)).status == 503  # so Slack tells it again
    assert (await many.installation(ACME)).is_installed
    assert (await many.acme.deliver("event", event)).ok
    assert (await many.installation(ACME)).is_installed  # it was about the one before
    await many.app.uninstall(many.acme, order=())
    assert (await many.acme.deliver("event", event)).ok
    assert not (await many.installation(ACME)).is_installed
    assert (await many.acts(ACME))[-1] == "workspace removed"


@ONE_DATABASE
async def test_a_persons_revoked_token_is_no_reason_to_leave(many: Many) -> None:
    event = many.app.departure(many.acme, "tokens_revoked")
    event["event"]["tokens"] = {"oauth": [ALICE], "bot": []}
    await many.acme.delivery.send_event(event)
    assert (await many.installation(ACME)).is_installed


@pytest.mark.parametrize("rotates", [True])
async def test_two_replicas_exchange_a_token_once_and_both_go_on_with_the_new_one(many: Many) -> None:
    many.app.first_lasts = 3600  # an hour: then it is time
    await many.install(ACME)

    async def kept() -> bool:
        found = await many.installation(ACME)
        return bool(found.expires_at - found.installed_at > timedelta(hours=11))

    await until(kept)
    await until(lambda: _all_serve(many, True))
    *old, _ = many.acme.api.bot_tokens
    many.acme.api.bot_tokens |= dict.fromkeys(old, "token_expired")
    for replica in (0, 1):
        many.turn_to(replica)
        many.acme.workspace.homes.clear()
        await many.acme.person(ALICE).open_home()
        await many.acme.person(ALICE).wait_for_home()
    assert [answer["ok"] for grant, answer in many.app.exchanges if grant == "refresh_token"] == [True]


@ONE_DATABASE
@pytest.mark.parametrize("rotates", [True])
async def test_a_token_that_can_not_be_exchanged_is_told_and_tried_again(
    many: Many, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    many.app.client_secret = "another"  # as after a secret that was made anew
    monkeypatch.setattr("bot.use_cases.refresh_token.CLAIM", timedelta(seconds=0.1))
    monkeypatch.setattr(installations, "REFRESH_BEFORE", timedelta(hours=13))

    async def troubled() -> bool:
        return "bad_client_secret" in (await many.installation(ACME)).trouble

    await until(troubled)
    listed = await command(tmp_path, "workspaces", "list", "--format", "json", **many.as_in(""))
    assert "can't be refreshed: Slack refuses (bad_client_secret)" in listed.rows[0]["trouble"]
    many.app.client_secret = "local-client-secret"

    async def well() -> bool:
        return (await many.installation(ACME)).trouble == "" and bool(many.app.exchanges[-1][1]["ok"])

    await until(well)


@ONE_DATABASE
async def test_a_new_key_opens_what_the_old_one_sealed_until_all_is_sealed_anew(
    many: Many, tmp_path: Path, database_url: str
) -> None:
    new = many.as_in("") | {"ENCRYPTION_KEY": "new-key"}
    listed = await command(tmp_path, "workspaces", "list", **new)
    assert f"{ACME}  in trouble: its token can't be read: ENCRYPTION_KEY is not the one" in listed.output
    refused = await command(tmp_path, "workspaces", "reseal", **new)
    assert (refused.code, "No key opens the tokens of T01ACME" in " ".join(refused.words.split())) == (1, True)
    both = await command(tmp_path, "workspaces", "reseal", **new | {"ENCRYPTION_KEY": "new-key,old-key"})
    assert "Sealed the tokens of 1 workspace(s) anew." in both.words
    assert "Restart each that was started without the new key" in both.words  # the test's own replicas serve
    assert (await command(tmp_path, "workspaces", "reseal", **new)).code == 0
    (token,) = many.acme.api.bot_tokens
    assert token not in contents(database_url)


@ONE_DATABASE
async def test_whoever_operates_the_bot_takes_a_workspace_out(many: Many, tmp_path: Path) -> None:
    assert (await command(tmp_path, "workspaces", "remove", "T99NONE", **many.as_in(""))).code == 1
    ended = await command(tmp_path, "workspaces", "remove", ACME, **many.as_in(""))
    assert (ended.code, "Removed T01ACME (Acme)." in ended.words) == (0, True), ended.words
    assert set(many.acme.api.bot_tokens.values()) == {"token_revoked"}
    await until(lambda: _all_serve(many, False))
    removed = (await many.records(ACME))[-1]
    assert (removed["act"], removed["how"].split(",")[0]) == ("workspace removed", "on the command line")
    listed = await command(tmp_path, "workspaces", "list", **many.as_in(""))
    assert f"{ACME}  removed: on the command line" in listed.output
    assert (
        max(len(line.rstrip()) for line in listed.output.splitlines()[:-1]) < 100
    )  # what is long stands below the table
    assert "token" not in json.dumps(listed.output)
