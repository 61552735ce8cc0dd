"""The browser page's door: the stream shows one person's view, the POSTs act, and only this page may use them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import LocalSlack, Person
from tests.contract.local_slack.block_kit_examples import actions, button, external, field, modal, options, text_input
from tests.contract.local_slack.conftest import Serve


@pytest.fixture
async def browser(slack: LocalSlack) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(base_url=slack.url) as session:
        yield session


async def silent(request: web.Request) -> web.Response:
    return web.Response()


async def snapshot_for(browser: aiohttp.ClientSession, viewer: str) -> Any:
    async with browser.get("/ui/stream", params={"as": viewer}) as answer:
        line = await answer.content.readline()
    return json.loads(line.decode().removeprefix("data: "))


async def test_the_stream_begins_with_everything_the_viewer_sees(
    slack: LocalSlack, client: AsyncWebClient, browser: aiohttp.ClientSession
) -> None:
    await client.chat_postEphemeral(channel="C01OPS", user="U01ALICE", text="psst")
    await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=modal())
    mine = await snapshot_for(browser, "U01ALICE")
    assert mine["messages"]["C01OPS"][0]["ephemeral"] is True
    assert len(mine["modals"]) == 1
    assert {channel["kind"] for channel in mine["channels"]} == {"channel", "dm"}
    assert {person["kind"] for person in mine["people"]} == {"member", "bot"}
    theirs = await snapshot_for(browser, "U02BOB")
    assert (theirs["messages"]["C01OPS"], theirs["modals"]) == ([], [])


async def test_the_stream_goes_on_after_each_change(slack: LocalSlack, browser: aiohttp.ClientSession) -> None:
    async with browser.get("/ui/stream", params={"as": "U01ALICE"}) as answer:
        await answer.content.readuntil(b"\n\n")
        await slack.person("U02BOB").say("C01OPS", "hello")
        shown = json.loads((await answer.content.readuntil(b"\n\n")).decode().removeprefix("data: "))
    assert shown["messages"]["C01OPS"][0]["text"] == "hello"


async def test_a_form_is_filled_and_submitted_from_the_page(
    slack: LocalSlack, client: AsyncWebClient, browser: aiohttp.ClientSession, serve: Serve
) -> None:
    async def handle(request: web.Request) -> web.Response:
        payload = json.loads(str((await request.post())["payload"]))
        return web.json_response({"options": options(2)}) if payload["type"] == "block_suggestion" else web.Response()

    await serve(handle)
    form = modal(field(text_input(), "name"), field(external(), "choice"))
    view_id = (await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=form))["view"]["id"]
    where = {"as": "U01ALICE", "view_id": view_id}
    asked = await browser.post("/ui/options", json={**where, "block_id": "choice", "action_id": "pick", "query": ""})
    assert len((await asked.json())["options"]) == 2
    refused = await browser.post("/ui/submit", json={**where, "values": {"name": {"typed": None}}})
    assert set((await refused.json())["errors"]) == {"name", "choice"}
    values = {"name": {"typed": "x"}, "choice": {"pick": "v1"}}
    assert await (await browser.post("/ui/submit", json={**where, "values": values})).json() == {"ok": True}
    state = slack.delivered[-1].payload["view"]["state"]["values"]
    assert state["choice"]["pick"]["selected_option"]["value"] == "v1"


async def test_commands_presses_and_words_come_from_the_page(
    slack: LocalSlack, alice: Person, client: AsyncWebClient, browser: aiohttp.ClientSession, serve: Serve
) -> None:
    await serve(silent)
    ts = (await client.chat_postMessage(channel="C01OPS", text="x", blocks=[actions(button(), block_id="b")]))["ts"]
    where = {"as": "U01ALICE", "channel": "C01OPS"}
    press = {"as": "U01ALICE", "message": {"channel": "C01OPS", "ts": ts}, "block_id": "b", "action_id": "press"}
    for name, body in {
        "command": {**where, "text": "/workflow help"},
        "say": {**where, "text": "hello"},
        "action": press,
        "shortcut": {"as": "U01ALICE", "callback_id": "run", "message": {"channel": "C01OPS", "ts": ts}},
        "home": {"as": "U01ALICE"},
    }.items():
        answer = await browser.post(f"/ui/{name}", json=body)
        assert (answer.status, (await answer.json())["ok"]) == (200, True)
    kinds = [delivered.payload.get("type", "command") for delivered in slack.delivered]
    assert kinds == ["command", "block_actions", "message_action", "event_callback"]


async def test_faults_are_set_from_the_page(slack: LocalSlack, browser: aiohttp.ClientSession) -> None:
    await browser.post("/ui/faults", json={"slack": {"delay": 1, "faults": [{"method": "views.open", "error": "x"}]}})
    assert slack.faults.delay == 1
    assert (await snapshot_for(browser, "U01ALICE"))["faults"]["slack"]["faults"][0]["method"] == "views.open"


async def test_other_sites_and_other_forms_are_turned_away(browser: aiohttp.ClientSession) -> None:
    body = {"as": "U01ALICE"}
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        assert (await browser.post("/ui/home", json=body, headers=headers)).status == 403
        assert (await browser.get("/ui/stream?as=U01ALICE", headers=headers)).status == 403
    assert (await browser.post("/ui/home", data=body)).status == 415
    assert (await browser.post("/ui/home", json={})).status == 400
    assert (await browser.get("/page/%2e%2e/slack/server.py")).status == 404


async def test_without_a_viewer_the_first_person_looks_and_the_page_is_told_of_shortcuts_and_links(
    slack: LocalSlack, browser: aiohttp.ClientSession
) -> None:
    slack.links.append({"label": "Audit log", "url": "/audit"})
    slack.shortcuts.append({"type": "global", "callback_id": "run", "name": "Run a workflow"})
    slack.add_person(id="U07DAN", name="Dan", note="On call")
    shown = await snapshot_for(browser, "")
    assert shown["as"] == "U01ALICE"
    assert shown["links"][0]["label"] == "Audit log"
    assert shown["shortcuts"][0]["callback_id"] == "run"
    assert shown["people"][-1]["note"] == "On call"
