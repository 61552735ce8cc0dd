"""Slack refuses, limits or is away: the run goes on, and the person is told another way or later."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from bot.domain.runs import State
from bot.sandbox.slack import web_api
from tests.acceptance.scene import ONE_DATABASE, OPS, RESTART, Scene, until, words
from tests.acceptance.steps import is_running, live, offer_lasting, replies

RUN = f"/workflow run {RESTART} service=web"
LOCK = f"lock {RESTART} a deploy"  # acknowledged at once, and answered later
# So that a fault of chat.postMessage hits the run's message, and not the audit channel's.
ONLY_RUNS_ARE_TOLD = pytest.mark.parametrize("environment", [{"AUDIT_CHANNEL": ""}])


@ONLY_RUNS_ARE_TOLD
@pytest.mark.parametrize(
    "code",
    ["not_in_channel", "channel_not_found", "is_archived", "restricted_action", "restricted_action_read_only_channel"],
)
@ONE_DATABASE
async def test_where_the_channel_is_closed_to_the_bot_the_requester_is_told_directly(scene: Scene, code: str) -> None:
    scene.slack.faults.fail("chat.postMessage", code, times=1)

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "so I tell you here", "*succeeded after", channel=scene.alice.dm)
    assert len(scene.payloads) == 1


@pytest.mark.parametrize("code", ["not_in_channel", "is_archived", "restricted_action_non_threadable_channel"])
@ONE_DATABASE
async def test_a_channel_closed_while_the_run_goes_on_has_its_message_go_on_with_the_requester(
    scene: Scene, watchful: None, code: str
) -> None:
    await offer_lasting(scene, steps=("Drain traffic", "Restart pods"))
    await scene.alice.command(OPS, RUN)
    await is_running(scene)
    scene.slack.faults.fail("chat.update", code, times=1)
    scene.datadog.let_pass(60)
    await scene.told(scene.alice, "so I tell you here", channel=scene.alice.dm)
    scene.datadog.let_pass(60)

    told = await scene.told(scene.alice, "so I tell you here", "*succeeded after", channel=scene.alice.dm)

    assert "Restart pods" in told
    assert "*succeeded after" not in words(live(scene))
    (message,) = [m for m in scene.slack.messages(scene.alice.id) if "so I tell you here" in words(m)]
    end = await scene.alice.wait_for_message(scene.alice.dm, lambda m: m["thread_ts"] == message["ts"])
    assert "succeeded after" in words(end)
    assert replies(scene) == []


@ONLY_RUNS_ARE_TOLD
@pytest.mark.parametrize("code", ["is_archived", "restricted_action_thread_locked"])
@ONE_DATABASE
async def test_a_channel_closed_right_before_the_end_has_the_end_told_to_the_requester(
    scene: Scene, watchful: None, code: str
) -> None:
    await offer_lasting(scene)
    await scene.alice.command(OPS, RUN)
    await is_running(scene)
    scene.slack.faults.fail("chat.postMessage", code, times=1)
    scene.datadog.let_pass(60)

    await scene.told(scene.alice, "succeeded after", channel=scene.alice.dm)
    assert "*succeeded after" in words(live(scene))
    assert replies(scene) == []


@ONE_DATABASE
async def test_in_a_private_channel_without_the_bot_the_requester_is_told_directly(scene: Scene) -> None:
    scene.slack.workspace.channels[OPS].is_private = True
    scene.slack.workspace.channels[OPS].bot_is_member = False

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "/invite @workflow-bot", "*succeeded after", channel=scene.alice.dm)


async def test_a_message_that_slack_refused_at_first_arrives_once(scene: Scene, impatient: None) -> None:
    scene.slack.faults.fail("chat.postMessage", "internal_error", status=500, times=2)

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "*succeeded after")
    assert "succeeded" in words(live(scene))
    assert len(scene.payloads) == 1


async def test_a_rate_limit_is_respected_and_the_message_arrives(scene: Scene, impatient: None) -> None:
    scene.slack.faults.fail("chat.postMessage", "ratelimited", retry_after=1, times=2)

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "*succeeded after")
    limited = [c for c in scene.slack.calls_of("chat.postMessage") if c.response.get("error") == "ratelimited"]
    for refused in limited:
        later = [
            call
            for call in scene.slack.calls_of("chat.postMessage")
            if call.params["channel"] == refused.params["channel"] and call.at > refused.at
        ]
        assert all(call.at - refused.at >= 1 for call in later)


@ONE_DATABASE
async def test_a_burst_in_one_channel_stays_within_slacks_limits_and_all_of_it_arrives(scene: Scene) -> None:
    scene.slack.rate_limits.enabled = True
    for _ in range(6):
        await scene.alice.command(OPS, RUN)

    async def all_told() -> bool:
        said = [m for m in scene.slack.messages(OPS) if "*succeeded after" in words(m)]
        return len(said) == 6

    await until(all_told, timeout=20)
    assert len(scene.payloads) == 6


async def test_a_message_posted_whose_answer_was_lost_is_followed_by_one_more_at_most(
    scene: Scene, impatient: None
) -> None:
    scene.slack.faults.drop("chat.postMessage", after=True)

    await scene.alice.command(OPS, RUN)

    await scene.only_run(State.SUCCEEDED)
    await scene.told(scene.alice, "*succeeded after")
    assert 1 <= len([m for m in scene.slack.messages(OPS) if m["ephemeral_to"] is None and not m["thread_ts"]]) <= 2
    assert len(scene.payloads) == 1


@pytest.mark.parametrize("text", ["", " run restart-service env=staging"])
@ONE_DATABASE
async def test_where_the_trigger_has_expired_the_person_is_told_to_type_again(scene: Scene, text: str) -> None:
    scene.slack.faults.fail("views.open", "expired_trigger_id", times=1)

    await scene.alice.command(OPS, f"/workflow{text}")

    await scene.told_privately(scene.alice, "too long for Slack to open a window", "/workflow")
    assert scene.payloads == []


@ONE_DATABASE
async def test_where_slack_refuses_the_window_for_another_reason_the_person_is_told(scene: Scene) -> None:
    scene.slack.faults.fail("views.open", "internal_error", status=500, times=1)

    await scene.alice.command(OPS, "/workflow")

    await scene.told_privately(scene.alice, "Slack refused what the bot wanted to do")


@pytest.mark.parametrize("trouble", ["the connection is closed", "a server in trouble"])
@ONE_DATABASE
async def test_where_slack_gives_no_answer_for_the_window_the_person_is_told_that(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    if trouble == "a server in trouble":  # what it answers is none of its API's answers
        monkeypatch.setattr(web_api, "_fault_answer", lambda _: ({}, 503, {}))
        scene.slack.faults.fail("views.open", times=1)
    else:
        scene.slack.faults.drop("views.open", times=2)  # the client tries once more by itself

    await scene.alice.command(OPS, "/workflow")

    await scene.told_privately(scene.alice, "Slack did not answer the bot")
    assert "Traceback" not in caplog.text


@ONE_DATABASE
async def test_a_response_url_that_does_not_work_any_more_is_followed_by_a_direct_message(scene: Scene) -> None:
    payload = scene.slack.client.payloads.slash_command(scene.bob.id, scene.slack.workspace.channels[OPS], LOCK)
    scene.slack.response_urls.expire()

    await scene.slack.deliver("command", payload)

    await scene.told(scene.bob, "You may not lock", channel=scene.bob.dm)
    scene.expected_violations.append("response_url: expired_url")


@ONE_DATABASE
async def test_a_response_url_on_a_foreign_host_is_never_called(scene: Scene) -> None:
    called = asyncio.Event()

    async def trap(_: web.Request) -> web.Response:
        called.set()
        return web.Response()

    stranger = web.Application()
    stranger.router.add_route("*", "/{path:.*}", trap)
    runner = web.AppRunner(stranger)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/response/1"
    payload = scene.slack.client.payloads.slash_command(scene.bob.id, scene.slack.workspace.channels[OPS], LOCK)

    await scene.slack.deliver("command", payload | {"response_url": url})

    await scene.told(scene.bob, "You may not lock", channel=scene.bob.dm)
    assert not called.is_set()
    async with aiohttp.ClientSession() as session, session.get(url):
        assert called.is_set()  # the trap would have caught it
    await runner.cleanup()


async def test_while_slack_is_away_the_run_starts_and_is_told_when_it_is_back(scene: Scene, impatient: None) -> None:
    await scene.alice.command(OPS, "/workflow list")
    await scene.told_privately(scene.alice, "Workflows that you may run in this channel")  # the bot knows Alice
    scene.slack.faults.drop("*", times=None)

    await scene.alice.command(OPS, RUN)
    await scene.only_run(State.SUCCEEDED)
    assert [m for m in scene.slack.messages(OPS) if "*succeeded after" in words(m)] == []
    scene.slack.faults.clear()

    await scene.told(scene.alice, "*succeeded after")
    assert len(scene.payloads) == 1
