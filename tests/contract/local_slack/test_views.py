"""Trigger ids, the view stack, hashes and typed values, as slack_sdk's own client meets them."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import LocalSlack, Person
from bot.sandbox.slack.input_state import ClientRefused
from tests.contract.local_slack.block_kit_examples import field, modal, number_input, option, select, text_input


def code_of(failure: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(failure.value.response["error"])


async def test_a_trigger_id_works_once(slack: LocalSlack, client: AsyncWebClient, alice: Person) -> None:
    trigger_id = slack.triggers.give("U01ALICE")
    await client.views_open(trigger_id=trigger_id, view=modal())
    assert alice.view is not None
    with pytest.raises(SlackApiError) as failure:
        await client.views_open(trigger_id=trigger_id, view=modal())
    assert code_of(failure) == "exchanged_trigger_id"
    assert slack.violations == ["views.open: exchanged_trigger_id"]


async def test_a_trigger_id_is_too_old_after_3_seconds(slack: LocalSlack, client: AsyncWebClient) -> None:
    trigger_id = slack.triggers.give("U01ALICE")
    slack.triggers.expire()
    with pytest.raises(SlackApiError) as failure:
        await client.views_open(trigger_id=trigger_id, view=modal())
    assert code_of(failure) == "expired_trigger_id"
    with pytest.raises(SlackApiError) as failure:
        await client.views_open(trigger_id="1.2.abc", view=modal())
    assert code_of(failure) == "invalid_trigger_id"


async def test_a_bad_view_is_refused_with_json_pointers(slack: LocalSlack, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=modal(private_metadata="x" * 3001))
    assert code_of(failure) == "invalid_arguments"
    (message,) = failure.value.response["response_metadata"]["messages"]
    assert message == "[ERROR] must be less than 3001 characters [json-pointer:/view/private_metadata]"
    big = modal(*[field(text_input(initial_value="x" * 2900), f"b{i}") for i in range(90)])
    with pytest.raises(SlackApiError) as failure:
        await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=big)
    assert code_of(failure) == "view_too_large"


async def test_a_stack_holds_three_views(slack: LocalSlack, client: AsyncWebClient, alice: Person) -> None:
    root = (await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=modal()))["view"]["id"]
    for _ in range(2):
        await client.views_push(trigger_id=slack.triggers.give("U01ALICE", root), view=modal())
    assert len(alice.views) == 3
    assert alice.view is not None
    assert alice.view["root_view_id"] == root
    with pytest.raises(SlackApiError) as failure:
        await client.views_push(trigger_id=slack.triggers.give("U01ALICE", root), view=modal())
    assert code_of(failure) == "push_limit_reached"


async def test_a_push_needs_a_trigger_from_inside_a_modal(slack: LocalSlack, client: AsyncWebClient) -> None:
    await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=modal())
    with pytest.raises(SlackApiError) as failure:
        await client.views_push(trigger_id=slack.triggers.give("U01ALICE"), view=modal())
    assert code_of(failure) == "invalid_trigger_id"


async def test_an_update_with_an_old_hash_is_refused(slack: LocalSlack, client: AsyncWebClient) -> None:
    view = (await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=modal()))["view"]
    await client.views_update(view_id=view["id"], hash=view["hash"], view=modal())
    with pytest.raises(SlackApiError) as failure:
        await client.views_update(view_id=view["id"], hash=view["hash"], view=modal())
    assert code_of(failure) == "hash_conflict"


async def test_an_external_id_is_unique_and_finds_its_view(slack: LocalSlack, client: AsyncWebClient) -> None:
    view = modal(external_id="run-1")
    opened = await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=view)
    with pytest.raises(SlackApiError) as failure:
        await client.views_open(trigger_id=slack.triggers.give("U02BOB"), view=view)
    assert code_of(failure) == "duplicate_external_id"
    updated = await client.views_update(external_id="run-1", view=view)
    assert updated["view"]["id"] == opened["view"]["id"]


async def test_a_closed_view_is_not_found(slack: LocalSlack, client: AsyncWebClient, alice: Person) -> None:
    view = (await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=modal()))["view"]
    await alice.close_view()
    with pytest.raises(SlackApiError) as failure:
        await client.views_update(view_id=view["id"], view=modal())
    assert code_of(failure) == "not_found"


def values_of(person: Person) -> dict[str, Any]:
    assert person.view is not None
    values: dict[str, Any] = person.view["state"]["values"]
    return values


async def test_typed_values_stay_while_the_ids_stay(slack: LocalSlack, client: AsyncWebClient, alice: Person) -> None:
    form = modal(field(text_input(initial_value="first")))
    view = (await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=form))["view"]
    await alice.fill({"Field": "typed"})
    await client.views_update(view_id=view["id"], view=modal(field(text_input(initial_value="second"))))
    assert values_of(alice)["field"]["typed"]["value"] == "typed"
    await client.views_update(view_id=view["id"], view=modal(field(text_input(initial_value="third"), "other")))
    assert values_of(alice) == {"other": {"typed": {"type": "plain_text_input", "value": "third"}}}


@pytest.mark.parametrize(
    ("element", "value", "refusal"),
    [
        (text_input(), "", "required"),
        (text_input(max_length=3), "abcd", "at most 3"),
        (text_input(min_length=3), "ab", "at least 3"),
        (text_input(), "x" * 3001, "at most 3000"),
        (number_input(max_value="5"), "6", "less than or equal to 5"),
        (number_input(min_value="5"), 4, "greater than or equal to 5"),
        (number_input(), "1.5", "whole number"),
        (number_input(), "one", "valid number"),
        ({"type": "email_text_input", "action_id": "e"}, "nobody", "email"),
        ({"type": "url_text_input", "action_id": "u"}, "nowhere", "URL"),
        (select(), None, "required"),
    ],
)
async def test_the_client_refuses_what_does_not_fit_and_sends_nothing(
    slack: LocalSlack, client: AsyncWebClient, alice: Person, element: dict[str, Any], value: Any, refusal: str
) -> None:
    await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=modal(field(element)))
    await alice.fill({"field": value})
    result = await alice.submit()
    assert result.happened == "refused"
    assert refusal in result.errors["field"]
    assert slack.delivered == []


async def test_an_optional_field_may_stay_empty_and_is_null(
    slack: LocalSlack, client: AsyncWebClient, alice: Person
) -> None:
    form = modal(field(text_input(), optional=True), field(select(), "choice", optional=True))
    await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=form)
    state = alice.submission()["view"]["state"]["values"]
    assert state["field"]["typed"]["value"] is None
    assert state["choice"]["pick"]["selected_option"] is None


async def test_a_choice_is_found_by_value_or_text_and_nothing_else_can_be_chosen(
    slack: LocalSlack, client: AsyncWebClient, alice: Person
) -> None:
    form = modal(field(select(options=[option("web", "The website"), option("api", "The API")])))
    await client.views_open(trigger_id=slack.triggers.give("U01ALICE"), view=form)
    await alice.choose("pick", "The API")
    assert values_of(alice)["field"]["pick"]["selected_option"]["value"] == "api"
    await alice.choose("field", "web")
    assert values_of(alice)["field"]["pick"]["selected_option"]["text"]["text"] == "The website"
    with pytest.raises(ClientRefused):
        await alice.choose("pick", "worker")


async def test_a_home_is_published_and_guarded_by_its_hash(
    slack: LocalSlack, client: AsyncWebClient, alice: Person
) -> None:
    home = {"type": "home", "blocks": [{"type": "divider"}]}
    first = (await client.views_publish(user_id="U01ALICE", view=home))["view"]
    await client.views_publish(user_id="U01ALICE", view=home, hash=first["hash"])
    with pytest.raises(SlackApiError) as failure:
        await client.views_publish(user_id="U01ALICE", view=home, hash=first["hash"])
    assert code_of(failure) == "hash_conflict"
    assert alice.home is not None
    assert alice.home["id"] == first["id"]
