"""Traps that were met before, each with its number in the list of them, where no other file has a test of it.

2 is in test_inputs.py; 3 in test_http_door.py; 4 in test_datadog_errors.py; 10 in house_rules/test_imports.py.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.domain.runs import State
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import open_world
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from tests.acceptance.scene import ALICE, BOTH_DOORS, ONE_DATABASE, OPS, RESTART, Scene, words
from tests.acceptance.steps import live, replies

RUN = f"/workflow run {RESTART} service=web"
STRANGER = "U08STRANGER"


@pytest.fixture
def failing_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that acknowledges and fails at once. Asked for before `scene`, which builds the table."""

    async def acknowledge_and_fail(_: Context, incoming: Incoming) -> None:
        incoming.reply.ack()
        raise RuntimeError("right after the ack")

    monkeypatch.setattr("bot.workspace.command", acknowledge_and_fail)


@BOTH_DOORS
@ONE_DATABASE
async def test_trap_1_a_listener_that_fails_right_after_its_ack_keeps_the_ack(
    failing_command: None, scene: Scene
) -> None:
    ack = await scene.alice.command(OPS, "/workflow")

    assert ack.ok
    assert ack.seconds < 1
    said = await scene.told_privately(scene.alice, "Something went wrong in the bot")
    assert "right after the ack" not in said
    assert scene.alice.errors == []


def test_trap_3_a_blank_signing_secret_is_noticed_at_the_start() -> None:
    environment = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": " ", "DD_API_KEY": "a", "DD_APP_KEY": "b"}

    result = CliRunner().invoke(main, ["serve"], env=environment)

    assert result.exit_code == 1
    assert "SLACK_SIGNING_SECRET is missing" in result.output


async def test_trap_5_an_instance_that_can_not_be_seen_yet_was_started_all_the_same(
    scene: Scene, watchful: None
) -> None:
    scene.datadog.faults.invisible_gets = 5

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "is running for")
    await scene.told(scene.alice, "*succeeded after")
    assert (await scene.only_run(State.SUCCEEDED)).instance_id == scene.datadog.executions[0].instance_id
    assert len(scene.payloads) == 1


async def test_trap_6_a_stranger_in_a_shared_channel_can_press_and_submit_but_starts_nothing(scene: Scene) -> None:
    scene.slack.workspace.channels[OPS].is_ext_shared = True
    scene.slack.add_person(STRANGER, "Sam Stranger", is_stranger=True)
    await scene.offer(rules=[{"allow": ["*", STRANGER], "run": ["*"]}])
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})
    stranger = scene.slack.person(STRANGER)
    team = scene.slack.workspace.members[STRANGER].team_id
    forged = scene.alice.submission() | {"user": {"id": STRANGER, "name": "sam", "team_id": team}}

    ack = await scene.slack.deliver("interactive", forged)

    assert "full members of this workspace only" in words(ack.json["view"])
    (denied,) = await scene.records()
    assert denied["act"] == "denied"
    assert denied["actor"]["user"] == STRANGER
    assert (await scene.alice.submit()).happened == "closed"
    await scene.told(scene.alice, "*succeeded after")
    assert (await stranger.press("Open in Datadog")).ok
    assert len(scene.payloads) == 1


@ONE_DATABASE
async def test_trap_7_who_somebody_is_is_asked_of_slack_once_and_not_for_each_command(scene: Scene) -> None:
    for _ in range(10):
        await scene.alice.command(OPS, "/workflow list")
    await scene.told_privately(scene.alice, "Workflows that you may run")

    assert [call.params["user"] for call in scene.slack.calls_of("users.info")] == [ALICE]
    assert len(scene.slack.calls_of("auth.test")) == 1
    assert scene.slack.calls_of("usergroups.users.list") == []


async def test_trap_8_what_was_acknowledged_is_finished_before_the_bot_stops(
    slack: LocalSlack, datadog: LocalDatadog, database_url: str
) -> None:
    async with open_world(slack, datadog, database_url) as world:
        scene = Scene(slack, datadog, database_url, world)
        await scene.offer()
        datadog.faults.execute_delay = 1
        assert (await scene.alice.command(OPS, RUN)).ok

    assert len(datadog.executions) == 1
    assert [m for m in slack.messages(OPS) if datadog.executions[0].instance_id in words(m)]
    assert slack.violations == []
    async with open_world(slack, datadog, database_url) as world:
        run = await Scene(slack, datadog, database_url, world).only_run(State.SUCCEEDED)
    assert run.due is None


@pytest.fixture
def message_first(impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message about the run is posted while Datadog is still being called, and brought up to date later."""
    monkeypatch.setattr("bot.use_cases.pace.QUIET", timedelta(0))


async def test_trap_9_a_message_is_brought_up_to_date_with_its_blocks_and_stays_one(
    message_first: None, scene: Scene
) -> None:
    scene.datadog.faults.execute_delay = 0.5

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "is being started for")
    await scene.told(scene.alice, "*succeeded after")
    message = live(scene)
    assert message["blocks"]
    assert not message["edited"]
    updates = scene.slack.calls_of("chat.update")
    assert updates
    assert all(call.params["text"] and call.params["blocks"] for call in updates)


@pytest.mark.parametrize("code", ["edit_window_closed", "cant_update_message", "message_not_found"])
@ONE_DATABASE
async def test_trap_9_where_a_message_can_not_be_edited_any_more_its_thread_goes_on(
    message_first: None, scene: Scene, code: str
) -> None:
    scene.datadog.faults.execute_delay = 0.5
    scene.slack.faults.fail("chat.update", code)

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "*succeeded after")
    first, thread = live(scene), replies(scene)
    assert "is being started for" in words(first)
    assert {reply["thread_ts"] for reply in thread} == {first["ts"]}
    (last,) = [reply for reply in thread if "*succeeded after" in words(reply)]
    assert scene.datadog.executions[0].instance_id in words(last)
