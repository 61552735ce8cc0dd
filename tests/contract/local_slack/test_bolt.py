"""A real Bolt app behind the local Slack, over signed HTTP and over Socket Mode: one story, told in both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import LocalSlack, Person
from tests.contract.local_slack.block_kit_examples import actions, button, external, field, modal, option, text_input


def form(**more: Any) -> dict[str, Any]:
    pick = field(external(), "workflow", dispatch_action=True)
    return modal(pick, field(text_input(), "reason", label={"type": "plain_text", "text": "Reason"}), **more)


def bolt_app(slack: LocalSlack, client: AsyncWebClient) -> AsyncApp:
    app = AsyncApp(signing_secret=slack.signing_secret, client=client)

    @app.command("/workflow")
    async def command(ack: Any, body: Any, client: Any) -> None:
        await ack("one moment")
        await client.views_open(trigger_id=body["trigger_id"], view=form())

    @app.options("pick")
    async def suggest(ack: Any) -> None:
        await ack(options=[option("restart", "Restart")])

    @app.action("pick")
    async def picked(ack: Any, body: Any, client: Any) -> None:
        await ack()
        view = form(private_metadata=body["actions"][0]["selected_option"]["value"])
        await client.views_update(view_id=body["view"]["id"], hash=body["view"]["hash"], view=view)

    @app.view("form")
    async def submitted(ack: Any, view: Any, client: Any) -> None:
        if view["state"]["values"]["reason"]["typed"]["value"] == "bad":
            await ack(response_action="errors", errors={"reason": "Say more."})
            return
        await ack()
        await client.chat_postMessage(channel="C01OPS", text="started", blocks=[actions(button("cancel"))])

    @app.action("cancel")
    async def cancelled(ack: Any, respond: Any) -> None:
        await ack()
        await respond("cancelled")

    @app.event("app_mention")
    async def mentioned(event: Any, say: Any) -> None:
        await say("at your service", thread_ts=event["ts"])

    @app.event("app_home_opened")
    async def home(event: Any, client: Any) -> None:
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [{"type": "divider"}]})

    return app


@pytest.fixture(params=["http", "socket mode"])
async def bolt(request: pytest.FixtureRequest, slack: LocalSlack, client: AsyncWebClient) -> AsyncIterator[None]:
    app = bolt_app(slack, client)
    if request.param == "http":
        runner = web.AppRunner(app.server(port=0).web_app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        slack.bot_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
        yield
        await runner.cleanup()
    else:
        handler = AsyncSocketModeHandler(app, slack.app_token, web_client=client)
        await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt's handler is not annotated
        yield
        await handler.close_async()  # type: ignore[no-untyped-call]  # Bolt's handler is not annotated


async def test_a_bolt_app_is_used_from_command_to_button(slack: LocalSlack, alice: Person, bolt: None) -> None:
    assert (await alice.command("C01OPS", "/workflow")).ok
    await alice.wait_for_view()
    assert [message["text"] for message in alice.ephemerals("C01OPS")] == ["one moment"]
    await alice.choose("workflow", "Restart")
    await alice.wait_for_view(lambda view: view["private_metadata"] == "restart")
    await alice.fill({"Reason": "bad"})
    assert (await alice.submit()).errors == {"reason": "Say more."}
    await alice.fill({"Reason": "because"})
    assert (await alice.submit()).happened == "closed"
    message = await alice.wait_for_message("C01OPS", lambda m: m["text"] == "started")
    await alice.press("cancel", in_message=message)
    await alice.wait_for_message("C01OPS", lambda m: m["text"] == "cancelled" and m["ephemeral_to"] == alice.id)
    mention = await alice.mention("C01OPS", "hello")
    await alice.wait_for_message("C01OPS", lambda m: m["thread_ts"] == mention["ts"])
    await alice.open_home()
    await alice.wait_for_home()
    assert (slack.violations, alice.errors, slack.slow_answers) == ([], [], [])


async def test_what_no_listener_wants_is_shown_as_an_error(slack: LocalSlack, alice: Person, bolt: None) -> None:
    slack.delivery.ack_seconds = 0.5
    await alice.global_shortcut("unknown")
    assert len(alice.errors) == 1


async def test_a_socket_can_be_asked_to_reconnect(slack: LocalSlack, client: AsyncWebClient) -> None:
    app = bolt_app(slack, client)
    handler = AsyncSocketModeHandler(app, slack.app_token, web_client=client)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt's handler is not annotated
    await slack.sockets.disconnect("refresh_requested")
    await slack.workspace.wait_for(lambda: slack.sockets.is_open or None, 5, "the new connection")
    assert (await slack.person("U01ALICE").command("C01OPS", "")).ok
    await slack.person("U01ALICE").wait_for_view()
    await handler.close_async()  # type: ignore[no-untyped-call]  # Bolt's handler is not annotated
