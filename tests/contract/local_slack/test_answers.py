"""What the local Slack sends, signed, and what it makes of the bot's answers and of none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import ClientRefused, LocalSlack, Person
from tests.contract.local_slack.block_kit_examples import (
    actions,
    button,
    external,
    field,
    modal,
    options,
    plain,
    text_input,
)
from tests.contract.local_slack.conftest import Handler, Serve


def answering(body: Any = None, status: int = 200) -> Handler:
    """A bot that gives the same answer to everything."""

    async def handle(request: web.Request) -> web.Response:
        if body is None or isinstance(body, str):
            return web.Response(text=body or "", status=status)
        return web.json_response(body, status=status)

    return handle


def sent(slack: LocalSlack) -> Mapping[str, Any]:
    return slack.delivered[-1].payload


async def open_form(slack: LocalSlack, client: AsyncWebClient, **more: Any) -> None:
    form = modal(field(text_input(initial_value="x")), {"type": "divider", "block_id": "line"}, **more)
    await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=form)


async def test_requests_bear_a_signature_that_slack_sdk_accepts(slack: LocalSlack, alice: Person, serve: Serve) -> None:
    verified: list[bool] = []

    async def handle(request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        headers = dict(request.headers)
        verified.append(SignatureVerifier("shared-secret").is_valid_request(body, headers))
        verified.append(SignatureVerifier("other-secret").is_valid_request(body, headers))
        return web.Response()

    await serve(handle)
    await alice.command("C01OPS", "run x")
    await alice.mention("C01OPS", "hello")
    assert verified == [True, False, True, False]
    stale = slack.sign("body", timestamp=1)
    assert not SignatureVerifier("shared-secret").is_valid_request("body", stale)


async def test_a_slash_command_carries_every_documented_field_escaped(
    slack: LocalSlack, alice: Person, serve: Serve
) -> None:
    received: list[dict[str, list[str]]] = []

    async def handle(request: web.Request) -> web.Response:
        received.append(parse_qs(await request.text(), keep_blank_values=True))
        return web.Response()

    await serve(handle)
    await alice.command("C01OPS", "/workflow run x note=<a&b> @bob #ops https://x.y/?a=1")
    (fields,) = received
    assert fields["text"] == ["run x note=&lt;a&amp;b&gt; <@U02BOB|bob> <#C01OPS|ops> <https://x.y/?a=1>"]
    assert fields["command"] == ["/workflow"]
    assert fields["is_enterprise_install"] == ["false"]
    wanted = "token api_app_id team_id team_domain channel_id channel_name user_id user_name response_url trigger_id"
    assert set(wanted.split()) < set(fields)
    await alice.command(alice.dm, "help")
    assert received[-1]["channel_name"] == ["directmessage"]
    slack.workspace.should_escape = False
    await alice.command("C01OPS", "ask @bob")
    assert received[-1]["text"] == ["ask @bob"]


async def test_a_commands_answer_is_seen_by_its_person_only(slack: LocalSlack, alice: Person, serve: Serve) -> None:
    await serve(answering("hello"))
    await alice.command("C01OPS", "help")
    assert [message["text"] for message in alice.ephemerals("C01OPS")] == ["hello"]
    await serve(answering({"response_type": "in_channel", "text": "all"}))
    await alice.command("C01OPS", "help")
    assert [message["text"] for message in slack.person("U02BOB").messages("C01OPS")] == ["all"]


async def test_a_commands_answer_is_as_strict_as_a_message(slack: LocalSlack, alice: Person, serve: Serve) -> None:
    await serve(answering({"text": "x", "blocks": [actions()]}))
    await alice.command("C01OPS", "help")
    assert "invalid_blocks" in slack.violations[0]
    assert alice.errors == ['/workflow failed with the error "invalid_blocks"']


async def test_without_an_answer_in_time_the_person_sees_an_error(
    slack: LocalSlack, alice: Person, client: AsyncWebClient, serve: Serve
) -> None:
    async def never(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    await serve(never)
    slack.delivery.ack_seconds = 0.05
    ack = await alice.command("C01OPS", "help")
    assert (ack.status, ack.error) == (0, "operation_timeout")
    assert alice.errors == ["/workflow failed because the app did not respond within 3 seconds (operation_timeout)"]
    assert "/workflow" in slack.slow_answers[0]
    await open_form(slack, client)
    assert (await alice.submit()).happened == "failed"
    assert alice.view is not None


async def test_a_refused_or_unreachable_command_is_shown_as_failed(
    slack: LocalSlack, alice: Person, serve: Serve
) -> None:
    await serve(answering(status=404))
    await alice.command("C01OPS", "help")
    slack.bot_url = "http://127.0.0.1:9/slack/events"
    await alice.command("C01OPS", "help")
    assert len(alice.errors) == 2
    assert all(error.endswith("answered with an error (dispatch_failed)") for error in alice.errors)


@pytest.mark.parametrize(
    ("answer", "happened", "open_views"),
    [
        (None, "closed", 0),
        ({"response_action": "errors", "errors": {"field": "no"}}, "errors", 1),
        ({"response_action": "update", "view": modal(callback_id="next")}, "updated", 1),
        ({"response_action": "push", "view": modal()}, "pushed", 2),
        ({"response_action": "clear"}, "cleared", 0),
    ],
)
async def test_a_submission_is_answered_in_five_ways(
    slack: LocalSlack, alice: Person, client: AsyncWebClient, serve: Serve, answer: Any, happened: str, open_views: int
) -> None:
    await serve(answering(answer))
    await open_form(slack, client)
    result = await alice.submit()
    assert (result.happened, len(alice.views)) == (happened, open_views)
    assert slack.violations == []
    assert sent(slack)["type"] == "view_submission"
    assert "channel" not in sent(slack)


@pytest.mark.parametrize(
    "answer",
    [
        {"response_action": "errors", "errors": {"line": "not an input"}},
        {"response_action": "errors", "errors": {"typed": "an action_id"}},
        {"response_action": "errors", "errors": {}},
        {"response_action": "update", "view": modal(title=plain("x" * 25))},
        {"response_action": "push", "view": modal(private_metadata="x" * 3001)},
        {"response_action": "close"},
        {"response_action": "clear", "view": modal()},
        "thanks",
    ],
)
async def test_a_wrong_answer_leaves_the_modal_open_and_is_a_violation(
    slack: LocalSlack, alice: Person, client: AsyncWebClient, serve: Serve, answer: Any
) -> None:
    await serve(answering(answer))
    await open_form(slack, client)
    assert (await alice.submit()).happened == "failed"
    assert alice.view is not None
    assert slack.violations
    assert "trouble connecting" in alice.errors[0]


async def test_a_submission_can_be_delivered_twice(
    slack: LocalSlack, alice: Person, client: AsyncWebClient, serve: Serve
) -> None:
    await serve(answering())
    await open_form(slack, client)
    payload = alice.submission()
    first, second = await asyncio.gather(slack.deliver("interactive", payload), slack.deliver("interactive", payload))
    assert (first.status, second.status) == (200, 200)
    assert alice.view is not None


async def test_closing_tells_the_bot_only_where_it_asked(
    slack: LocalSlack, alice: Person, client: AsyncWebClient, serve: Serve
) -> None:
    await serve(answering())
    await open_form(slack, client)
    await alice.close_view()
    assert slack.delivered == []
    await open_form(slack, client, notify_on_close=True)
    await alice.close_view(all_of_them=True)
    assert (sent(slack)["type"], sent(slack)["is_cleared"]) == ("view_closed", True)
    assert "field" not in sent(slack)["view"]["state"]["values"]


async def test_suggestions_are_asked_for_and_checked(
    slack: LocalSlack, alice: Person, client: AsyncWebClient, serve: Serve
) -> None:
    form = modal(field(external()), field({"type": "external_select", "action_id": "slow"}, "slow"))
    await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=form)
    await serve(answering({"options": options(2)}))
    assert [found["value"] for found in await alice.suggestions("pick", "v")] == ["v0", "v1"]
    assert (sent(slack)["type"], sent(slack)["value"]) == ("block_suggestion", "v")
    await alice.choose("pick", "v1")
    with pytest.raises(ClientRefused):
        await alice.suggestions("slow", "ab")
    await serve(answering({"options": options(101)}))
    assert await alice.suggestions("pick", "v") == []
    assert "no more than 100 items" in slack.violations[0]


async def test_a_press_on_a_message_brings_channel_message_and_response_url(
    slack: LocalSlack, alice: Person, client: AsyncWebClient, serve: Serve
) -> None:
    await serve(answering())
    posted = await client.chat_postMessage(channel="C01OPS", text="x", blocks=[actions(button(value="run-1"))])
    await alice.press("press")
    payload = sent(slack)
    assert payload["actions"][0]["value"] == "run-1"
    assert payload["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": "C01OPS",
        "is_ephemeral": False,
    }
    assert payload["message"]["ts"] == posted["ts"]
    assert payload["response_url"].startswith(slack.url)


async def test_a_body_in_answer_to_a_press_is_a_violation(
    slack: LocalSlack, alice: Person, client: AsyncWebClient, serve: Serve
) -> None:
    await serve(answering("thanks"))
    await client.chat_postMessage(channel="C01OPS", text="x", blocks=[actions(button())])
    await alice.press("Press")
    assert slack.violations


async def test_strangers_may_press_but_not_type_commands(
    slack: LocalSlack, client: AsyncWebClient, serve: Serve
) -> None:
    await serve(answering())
    far = slack.add_person(id="U05FAR", name="Far", team_id="T09OTHER", is_stranger=True)
    slack.add_channel(id="C06EXT", name="partners", is_ext_shared=True)
    await client.chat_postMessage(channel="C06EXT", text="x", blocks=[actions(button())])
    await far.press("press")
    assert sent(slack)["user"]["team_id"] == "T09OTHER"
    with pytest.raises(ClientRefused):
        await far.command("C06EXT", "help")


async def test_shortcuts_differ_in_what_they_bring(slack: LocalSlack, alice: Person, serve: Serve) -> None:
    await serve(answering())
    await alice.global_shortcut("run")
    assert sent(slack)["type"] == "shortcut"
    assert not {"channel", "response_url"} & set(sent(slack))
    message = await slack.person("U02BOB").say("C01OPS", "alert: web is down")
    await alice.message_shortcut("run_on", "C01OPS", message["ts"])
    assert sent(slack)["type"] == "message_action"
    assert sent(slack)["message"]["text"] == "alert: web is down"


async def test_a_failed_event_is_sent_again_with_its_number_unless_told_not_to(
    slack: LocalSlack, alice: Person, serve: Serve
) -> None:
    retries: list[tuple[str | None, str | None]] = []

    async def handle(request: web.Request) -> web.Response:
        number = request.headers.get("X-Slack-Retry-Num")
        retries.append((number, request.headers.get("X-Slack-Retry-Reason")))
        stop = {"X-Slack-No-Retry": "1"} if number == "2" else {}
        return web.Response(status=500, headers=stop)

    slack.delivery.event_retry_delays = (0.0, 0.0, 0.0)
    await serve(handle)
    await alice.mention("C01OPS", "hello")
    await slack.workspace.wait_for(lambda: len(slack.delivered) >= 3 or None, 5, "the retries")
    assert retries == [(None, None), ("1", "http_error"), ("2", "http_error")]
    events = {json.dumps(delivered.payload) for delivered in slack.delivered}
    assert len(events) == 1


async def test_a_response_url_works_five_times(slack: LocalSlack, alice: Person) -> None:
    url = slack.response_urls.give("U01ALICE", "C02SEC")
    slack.workspace.channels["C02SEC"].members = {"U01ALICE"}
    async with aiohttp.ClientSession() as session:
        statuses = [(await session.post(url, json={"text": f"{number}"})).status for number in range(6)]
        late = slack.response_urls.give("U01ALICE", "C01OPS")
        slack.response_urls.expire()
        statuses.append((await session.post(late, json={"text": "x"})).status)
    assert statuses == [200] * 5 + [404] * 2
    assert [message["text"] for message in alice.ephemerals("C02SEC")] == list("01234")
    assert slack.violations == ["response_url: used_url", "response_url: expired_url"]


async def test_a_response_url_replaces_and_deletes_its_message(
    slack: LocalSlack, alice: Person, client: AsyncWebClient, serve: Serve
) -> None:
    await serve(answering())
    await client.chat_postEphemeral(channel="C01OPS", user="U01ALICE", text="x", blocks=[actions(button())])
    await alice.press("press")
    assert "message" not in sent(slack)
    async with aiohttp.ClientSession() as session:
        await session.post(sent(slack)["response_url"], json={"replace_original": True, "text": "done"})
        assert [message["text"] for message in alice.ephemerals("C01OPS")] == ["done"]
        await session.post(sent(slack)["response_url"], json={"delete_original": True})
    assert slack.messages("C01OPS") == []
