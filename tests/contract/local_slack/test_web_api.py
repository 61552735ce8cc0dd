"""The Web API as slack_sdk's own client sees it: tokens, scopes, posting rules, directories, files, limits, faults."""

from __future__ import annotations

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import LocalSlack, Person
from tests.contract.local_slack.block_kit_examples import actions, button, plain, section


def code_of(failure: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(failure.value.response["error"])


async def test_a_wrong_token_is_refused_and_no_token_too(slack: LocalSlack) -> None:
    with pytest.raises(SlackApiError) as failure:
        await AsyncWebClient(token="xoxb-wrong", base_url=slack.api_url).auth_test()
    assert code_of(failure) == "invalid_auth"
    with pytest.raises(SlackApiError) as failure:
        await AsyncWebClient(base_url=slack.api_url).auth_test()
    assert code_of(failure) == "not_authed"


async def test_only_the_app_token_opens_connections(slack: LocalSlack, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.apps_connections_open(app_token=slack.bot_token)
    assert code_of(failure) == "not_allowed_token_type"
    assert (await client.apps_connections_open(app_token=slack.app_token))["url"].startswith("ws://127.0.0.1:")


async def test_auth_test_tells_who_the_bot_is(slack: LocalSlack, client: AsyncWebClient) -> None:
    answer = await client.auth_test()
    assert (answer["user_id"], answer["team_id"]) == (slack.bot_user_id, slack.team_id)
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


async def test_a_missing_scope_is_named(slack: LocalSlack, client: AsyncWebClient) -> None:
    slack.scopes.discard("usergroups:read")
    with pytest.raises(SlackApiError) as failure:
        await client.usergroups_users_list(usergroup="S01SRE")
    assert code_of(failure) == "missing_scope"
    assert failure.value.response["needed"] == "usergroups:read"
    assert slack.violations


async def test_an_unknown_method_is_refused(slack: LocalSlack, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.api_call("chat.shout")
    assert code_of(failure) == "unknown_method"


async def test_calls_are_recorded_without_the_token(slack: LocalSlack, client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel="C01OPS", text="hello", token=slack.bot_token)
    (call,) = slack.calls_of("chat.postMessage")
    assert call.params["text"] == "hello"
    assert call.response["ok"]
    assert slack.bot_token not in repr(slack.calls)


async def test_a_message_to_a_person_lands_in_their_conversation(
    slack: LocalSlack, client: AsyncWebClient, alice: Person
) -> None:
    answer = await client.chat_postMessage(channel="U01ALICE", text="hello")
    assert answer["channel"] == alice.dm
    assert (await client.conversations_open(users="U01ALICE"))["channel"]["id"] == alice.dm
    assert [message["text"] for message in slack.messages("U01ALICE")] == ["hello"]


@pytest.mark.parametrize(
    ("channel", "content", "error"),
    [
        ("C404", {"text": "x"}, "channel_not_found"),
        ("C02SEC", {"text": "x"}, "channel_not_found"),
        ("C03OLD", {"text": "x"}, "is_archived"),
        ("C01OPS", {"text": ""}, "no_text"),
        ("C01OPS", {"text": "x", "blocks": [section()] * 51}, "invalid_blocks"),
        ("C01OPS", {"text": "x", "blocks": [section(text=plain("y" * 2900))] * 5}, "msg_blocks_too_long"),
        ("C01OPS", {"text": "x", "thread_ts": "1.000001"}, "thread_not_found"),
        ("C01OPS", {"text": "x", "metadata": {"event_type": "run"}}, "invalid_metadata_format"),
        ("C01OPS", {"markdown_text": "x", "blocks": [section()]}, "markdown_text_conflict"),
        ("C01OPS", {"markdown_text": "x" * 12_001}, "msg_too_long"),
    ],
)
async def test_a_message_slack_would_refuse_is_refused(
    slack: LocalSlack, client: AsyncWebClient, channel: str, content: dict[str, object], error: str
) -> None:
    slack.add_channel(id="C03OLD", name="old", is_archived=True)
    with pytest.raises(SlackApiError) as failure:
        await client.api_call("chat.postMessage", json={"channel": channel, **content})
    assert code_of(failure) == error
    assert slack.messages("C01OPS") == []


async def test_an_unjoined_public_channel_needs_chat_write_public(slack: LocalSlack, client: AsyncWebClient) -> None:
    slack.add_channel(id="C04NEW", name="new", bot_is_member=False)
    await client.chat_postMessage(channel="C04NEW", text="hello")
    slack.scopes.discard("chat:write.public")
    with pytest.raises(SlackApiError) as failure:
        await client.chat_postMessage(channel="C04NEW", text="hello")
    assert code_of(failure) == "not_in_channel"


async def test_a_refused_message_names_the_place_and_is_a_violation(slack: LocalSlack, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.chat_postMessage(channel="C01OPS", text="x", blocks=[actions(button(value="v" * 2001))])
    (message,) = failure.value.response["response_metadata"]["messages"]
    assert message == "[ERROR] must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]"
    assert "invalid_blocks" in slack.violations[0]


async def test_a_text_over_40_000_characters_is_cut_with_a_warning(slack: LocalSlack, client: AsyncWebClient) -> None:
    answer = await client.chat_postMessage(channel="C01OPS", text="x" * 40_001)
    assert answer["warning"] == "message_truncated"
    assert len(slack.messages("C01OPS")[0]["text"]) == 40_000
    assert slack.violations


async def test_updating_with_text_alone_removes_the_blocks(slack: LocalSlack, client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel="C01OPS", text="x", blocks=[section()]))["ts"]
    await client.chat_update(channel="C01OPS", ts=ts, text="y", blocks=[section()])
    (message,) = slack.messages("C01OPS")
    assert message["blocks"]
    assert not message["edited"]
    await client.chat_update(channel="C01OPS", ts=ts, text="z")
    (message,) = slack.messages("C01OPS")
    assert (message["text"], message["blocks"], message["edited"]) == ("z", [], True)


async def test_only_the_bots_own_messages_can_be_changed_or_deleted(
    slack: LocalSlack, client: AsyncWebClient, alice: Person
) -> None:
    hers = await alice.say("C01OPS", "mine")
    with pytest.raises(SlackApiError) as failure:
        await client.chat_update(channel="C01OPS", ts=hers["ts"], text="yours")
    assert code_of(failure) == "cant_update_message"
    with pytest.raises(SlackApiError) as failure:
        await client.chat_delete(channel="C01OPS", ts=hers["ts"])
    assert code_of(failure) == "cant_delete_message"
    with pytest.raises(SlackApiError) as failure:
        await client.chat_update(channel="C01OPS", ts="1.000001", text="x")
    assert code_of(failure) == "message_not_found"


async def test_an_update_takes_4_000_characters_and_a_channel_id_only(client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel="U01ALICE", text="x")
    with pytest.raises(SlackApiError) as failure:
        await client.chat_update(channel=posted["channel"], ts=posted["ts"], text="x" * 4001)
    assert code_of(failure) == "msg_too_long"
    with pytest.raises(SlackApiError) as failure:
        await client.chat_update(channel="U01ALICE", ts=posted["ts"], text="y")
    assert code_of(failure) == "channel_not_found"


async def test_an_ephemeral_message_is_seen_by_its_person_and_never_updated(
    slack: LocalSlack, client: AsyncWebClient, alice: Person
) -> None:
    ts = (await client.chat_postEphemeral(channel="C01OPS", user="U01ALICE", text="psst"))["message_ts"]
    assert [message["text"] for message in alice.ephemerals("C01OPS")] == ["psst"]
    assert slack.person("U02BOB").messages("C01OPS") == []
    with pytest.raises(SlackApiError) as failure:
        await client.chat_update(channel="C01OPS", ts=ts, text="x")
    assert code_of(failure) == "cant_update_message"


async def test_a_person_outside_the_channel_gets_no_ephemeral_message(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    slack.add_channel(id="C05BOB", name="bobs", members=["U02BOB"])
    with pytest.raises(SlackApiError) as failure:
        await client.chat_postEphemeral(channel="C05BOB", user="U01ALICE", text="x")
    assert code_of(failure) == "user_not_in_channel"


async def test_a_thread_hangs_below_its_parent_only(slack: LocalSlack, client: AsyncWebClient) -> None:
    parent = (await client.chat_postMessage(channel="C01OPS", text="x"))["ts"]
    reply = (await client.chat_postMessage(channel="C01OPS", text="y", thread_ts=parent))["ts"]
    with pytest.raises(SlackApiError) as failure:
        await client.chat_postMessage(channel="C01OPS", text="z", thread_ts=reply)
    assert code_of(failure) == "cannot_reply_to_message"
    link = await client.chat_getPermalink(channel="C01OPS", message_ts=parent)
    assert link["permalink"].endswith("/archives/C01OPS/p" + parent.replace(".", ""))


async def test_people_are_shown_with_their_flags(slack: LocalSlack, client: AsyncWebClient) -> None:
    slack.add_person(id="U03GUEST", name="Guest", is_restricted=True, is_ultra_restricted=True)
    slack.add_person(id="U04GONE", name="Gone", deleted=True)
    slack.add_person(id="U05FAR", name="Far", team_id="T09OTHER", is_stranger=True)
    assert (await client.users_info(user="U03GUEST"))["user"]["is_ultra_restricted"]
    assert (await client.users_info(user="U04GONE"))["user"]["deleted"]
    far = (await client.users_info(user="U05FAR"))["user"]
    assert (far["is_stranger"], far["team_id"]) == (True, "T09OTHER")
    listed = [user["id"] for user in (await client.users_list())["members"]]
    assert "U05FAR" not in listed
    with pytest.raises(SlackApiError) as failure:
        await client.users_info(user="U404")
    assert code_of(failure) == "user_not_found"


async def test_a_group_lists_its_members_without_the_deactivated(slack: LocalSlack, client: AsyncWebClient) -> None:
    slack.add_person(id="U04GONE", name="Gone", deleted=True)
    slack.add_group("S01SRE", ["U01ALICE", "U04GONE"])
    assert (await client.usergroups_users_list(usergroup="S01SRE"))["users"] == ["U01ALICE"]
    everybody = await client.usergroups_users_list(usergroup="S01SRE", include_disabled=True)
    assert everybody["users"] == ["U01ALICE", "U04GONE"]
    assert [group["id"] for group in (await client.usergroups_list())["usergroups"]] == ["S01SRE"]
    with pytest.raises(SlackApiError) as failure:
        await client.usergroups_users_list(usergroup="S404")
    assert code_of(failure) == "no_such_subteam"


async def test_lists_come_in_pages(slack: LocalSlack, client: AsyncWebClient) -> None:
    for number in range(3):
        slack.add_channel(id=f"C1{number}", name=f"c{number}")
    found: list[str] = []
    async for answer in await client.conversations_list(limit=3):
        found += [channel["id"] for channel in answer["channels"]]
    assert found == ["C01OPS", "C10", "C11", "C12"]
    members = (await client.conversations_members(channel="C01OPS"))["members"]
    assert set(members) == {slack.bot_user_id, "U01ALICE", "U02BOB"}


async def test_a_private_channel_without_the_bot_is_invisible(slack: LocalSlack, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.conversations_info(channel="C02SEC")
    assert code_of(failure) == "channel_not_found"
    slack.add_channel(id="C06EXT", name="partners", is_ext_shared=True)
    assert (await client.conversations_info(channel="C06EXT"))["channel"]["is_ext_shared"]


async def test_a_file_is_uploaded_in_three_steps(slack: LocalSlack, client: AsyncWebClient) -> None:
    slack.scopes.add("files:write")
    await client.files_upload_v2(filename="audit.jsonl", content="{}\n", channel="C01OPS", initial_comment="Export")
    (message,) = slack.messages("C01OPS")
    assert (message["text"], message["files"][0]["name"]) == ("Export", "audit.jsonl")
    assert slack.violations == []


async def test_a_reaction_is_added_once(slack: LocalSlack, client: AsyncWebClient) -> None:
    slack.scopes.add("reactions:write")
    ts = (await client.chat_postMessage(channel="C01OPS", text="x"))["ts"]
    await client.reactions_add(channel="C01OPS", timestamp=ts, name="eyes")
    with pytest.raises(SlackApiError) as failure:
        await client.reactions_add(channel="C01OPS", timestamp=ts, name="eyes")
    assert code_of(failure) == "already_reacted"


async def test_posting_too_fast_in_one_channel_is_limited(slack: LocalSlack, client: AsyncWebClient) -> None:
    slack.rate_limits.enabled = True
    for _ in range(4):
        await client.chat_postMessage(channel="C01OPS", text="x")
    with pytest.raises(SlackApiError) as failure:
        await client.chat_postMessage(channel="C01OPS", text="x")
    assert code_of(failure) == "ratelimited"
    assert failure.value.response.status_code == 429
    assert int(failure.value.response.headers["Retry-After"]) >= 1
    await client.chat_postMessage(channel="U01ALICE", text="another channel is free")
    assert slack.violations == []


async def test_a_fault_hits_as_often_as_asked_and_is_no_violation(slack: LocalSlack, client: AsyncWebClient) -> None:
    slack.faults.fail("chat.postMessage", error="internal_error", times=1)
    slack.faults.fail("auth.test", retry_after=7)
    with pytest.raises(SlackApiError) as failure:
        await client.chat_postMessage(channel="C01OPS", text="x")
    assert code_of(failure) == "internal_error"
    await client.chat_postMessage(channel="C01OPS", text="x")
    with pytest.raises(SlackApiError) as failure:
        await client.auth_test()
    assert failure.value.response.status_code == 429
    assert failure.value.response.headers["Retry-After"] == "7"
    slack.faults.clear()
    await client.auth_test()
    assert slack.violations == []


async def test_a_dropped_connection_may_have_done_its_work(slack: LocalSlack) -> None:
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[])
    slack.faults.drop("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel="C01OPS", text="never arrives")
    slack.faults.drop("chat.postMessage", after=True)
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel="C01OPS", text="arrives")
    assert [message["text"] for message in slack.messages("C01OPS")] == ["arrives"]


async def test_the_workspaces_edit_window_can_be_closed(slack: LocalSlack, client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel="C01OPS", text="x"))["ts"]
    slack.faults.fail("chat.update", error="edit_window_closed")
    with pytest.raises(SlackApiError) as failure:
        await client.chat_update(channel="C01OPS", ts=ts, text="y")
    assert code_of(failure) == "edit_window_closed"


def test_faults_survive_the_way_through_json(slack: LocalSlack) -> None:
    slack.faults.delay = 0.5
    slack.faults.fail("chat.update", error="edit_window_closed", times=2)
    written = slack.faults.to_json()
    slack.faults.clear()
    slack.faults.from_json(written)
    assert slack.faults.to_json() == written


async def test_history_is_told_newest_first_page_by_page_to_a_token_that_may(
    slack: LocalSlack, client: AsyncWebClient, alice: Person
) -> None:
    slack.scopes.add("channels:history")
    for number in range(5):
        await client.chat_postMessage(channel="C01OPS", text=f"message {number}")
    await alice.say("C01OPS", "hello")
    first = await client.conversations_history(channel="C01OPS", limit=4)
    assert [message["text"] for message in first["messages"]] == ["hello", "message 4", "message 3", "message 2"]
    assert (first["has_more"], "bot_id" in first["messages"][0]) == (True, False)
    cursor = first["response_metadata"]["next_cursor"]
    last = await client.conversations_history(channel="C01OPS", limit=4, cursor=cursor)
    assert [message["text"] for message in last["messages"]] == ["message 1", "message 0"]
    assert last["has_more"] is False


async def test_history_wants_a_scope_of_its_own(slack: LocalSlack, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.conversations_history(channel="C01OPS")
    assert code_of(failure) == "missing_scope"
    assert failure.value.response["needed"] == "channels:history"
    slack.violations.clear()
