"""Each limit of Slack on views and messages: what is just allowed passes, one more is refused at the right place."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.slack.block_kit import check_blocks, check_metadata, check_view
from bot.sandbox.slack.composition import Problems, check_suggestions
from tests.contract.local_slack.block_kit_examples import (
    actions,
    button,
    external,
    field,
    modal,
    mrkdwn,
    number_input,
    option,
    options,
    plain,
    section,
    select,
    text_input,
)

Json = dict[str, Any]
CONFIRM = {"title": plain(), "text": mrkdwn(), "confirm": plain(), "deny": plain()}


def overflow(count: int) -> Json:
    return section(accessory={"type": "overflow", "action_id": "more", "options": options(count)})


def table(rows: int, cells: int) -> Json:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * cells for _ in range(rows)]}


def rich_text(leaf: Json) -> Json:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [leaf]}]}


BLOCKS_JUST_RIGHT: list[Any] = [
    section(text=mrkdwn("x" * 3000)),
    {"type": "section", "fields": [mrkdwn("x" * 2000)] * 10},
    {"type": "header", "text": plain("x" * 150)},
    {"type": "context", "elements": [mrkdwn()] * 10},
    actions(*[button(f"b{i}") for i in range(25)]),
    actions(button(text=plain("x" * 75), value="v" * 2000, url="https://x.y", style="danger", confirm=CONFIRM)),
    actions(select(options=options(100), placeholder=plain("x" * 150))),
    actions(select(options=[option("v" * 150, "t" * 75, description=plain("d" * 75))])),
    actions(select(option_groups=[{"label": plain("x" * 75), "options": options(100)}] * 100)),
    actions(select(options=options(2), initial_option=option("v1"))),
    overflow(1),
    overflow(5),
    section(accessory={"type": "checkboxes", "action_id": "c", "options": options(10)}),
    section(accessory=external()),
    section(block_id="b" * 255, accessory=button("a" * 255)),
    {"type": "image", "image_url": "https://x.y/z.png", "alt_text": "x" * 2000, "title": plain("x" * 2000)},
    rich_text({"type": "text", "text": "x", "style": {"bold": True}}),
    field(text_input(min_length=0, max_length=3000), label=plain("x" * 2000), hint=plain("x" * 2000)),
    field(number_input(min_value="1", max_value="9", initial_value="5")),
]

BLOCKS_TOO_MUCH: list[Any] = [
    (section(text=mrkdwn("x" * 3001)), "/text/text"),
    (section(text=mrkdwn("")), "/text/text"),
    (section(text=plain() | {"verbatim": True}), "/text"),
    (section(text=mrkdwn() | {"emoji": True}), "/text"),
    ({"type": "section"}, ""),
    ({"type": "section", "fields": [mrkdwn()] * 11}, "/fields"),
    ({"type": "section", "fields": []}, "/fields"),
    ({"type": "section", "fields": [mrkdwn("x" * 2001)]}, "/fields/0/text"),
    (section(surprise=1), ""),
    (section(block_id="b" * 256), "/block_id"),
    (section(accessory=button("a" * 256)), "/accessory/action_id"),
    (section(accessory=text_input()), "/accessory/type"),
    ({"type": "header", "text": plain("x" * 151)}, "/text/text"),
    ({"type": "header", "text": mrkdwn()}, "/text/type"),
    ({"type": "context", "elements": []}, "/elements"),
    ({"type": "context", "elements": [mrkdwn()] * 11}, "/elements"),
    ({"type": "context", "elements": [button()]}, "/elements/0/type"),
    (actions(), "/elements"),
    (actions(*[button(f"b{i}") for i in range(26)]), "/elements"),
    (actions(button("same"), button("same")), "/elements"),
    (actions(button(text=plain("x" * 76))), "/elements/0/text/text"),
    (actions(button(text=mrkdwn())), "/elements/0/text/type"),
    (actions(button(value="v" * 2001)), "/elements/0/value"),
    (actions(button(value="")), "/elements/0/value"),
    (actions(button(url="u" * 3001)), "/elements/0/url"),
    (actions(button(style="warning")), "/elements/0/style"),
    (actions(button(accessibility_label="x" * 76)), "/elements/0/accessibility_label"),
    (actions(button(confirm=CONFIRM | {"title": plain("x" * 101)})), "/elements/0/confirm/title/text"),
    (actions(button(confirm=CONFIRM | {"text": mrkdwn("x" * 301)})), "/elements/0/confirm/text/text"),
    (actions(button(confirm=CONFIRM | {"confirm": plain("x" * 31)})), "/elements/0/confirm/confirm/text"),
    (actions(button(confirm=CONFIRM | {"deny": plain("x" * 31)})), "/elements/0/confirm/deny/text"),
    (actions(select(options=[])), "/elements/0/options"),
    (actions(select(options=options(101))), "/elements/0/options"),
    (actions(select(options=[option("v" * 151)])), "/elements/0/options/0/value"),
    (actions(select(options=[option("v", "t" * 76)])), "/elements/0/options/0/text/text"),
    (actions(select(options=[option(description=plain("d" * 76))])), "/elements/0/options/0/description/text"),
    (actions(select(options=[option(url="https://x.y")])), "/elements/0/options/0"),
    (actions(select(options=options(1), option_groups=[])), "/elements/0"),
    (
        actions(select(option_groups=[{"label": plain("x" * 76), "options": options(1)}])),
        "/elements/0/option_groups/0/label/text",
    ),
    (actions(select(placeholder=plain("x" * 151))), "/elements/0/placeholder/text"),
    (actions(select(options=options(2), initial_option=option("other"))), "/elements/0/initial_option"),
    (overflow(0), "/accessory/options"),
    (overflow(6), "/accessory/options"),
    (section(accessory={"type": "radio_buttons", "action_id": "r", "options": options(11)}), "/accessory/options"),
    (
        section(accessory={"type": "multi_users_select", "action_id": "m", "max_selected_items": 0}),
        "/accessory/max_selected_items",
    ),
    (actions({"type": "multi_static_select", "action_id": "m", "options": options(1)}), "/elements/0/type"),
    (section(accessory=external(options=options(1))), "/accessory"),
    (
        section(accessory={"type": "datepicker", "action_id": "d", "initial_date": "1-1-2026"}),
        "/accessory/initial_date",
    ),
    ({"type": "image", "image_url": "https://x.y/z.png", "alt_text": "x" * 2001}, "/alt_text"),
    ({"type": "image", "image_url": "ftp://x.y", "alt_text": "x"}, "/image_url"),
    ({"type": "image", "image_url": "https://" + "x" * 3000, "alt_text": "x"}, "/image_url"),
    (rich_text({"type": "shout", "text": "x"}), "/elements/0/elements/0/type"),
    (rich_text({"type": "text", "text": ""}), "/elements/0/elements/0/text"),
    (field(button()), "/element/type"),
    (field(text_input(max_length=3001)), "/element/max_length"),
    (field(text_input(min_length=5, max_length=4)), "/element/min_length"),
    (field(text_input(max_length=2, initial_value="abc")), "/element/initial_value"),
    (field(text_input(), label=plain("x" * 2001)), "/label/text"),
    (field(text_input(), label=mrkdwn()), "/label/type"),
    (field(text_input(), hint=plain("x" * 2001)), "/hint/text"),
    (field({"type": "number_input", "action_id": "n"}), "/element"),
    (field(number_input(min_value=1)), "/element/min_value"),
    (field(number_input(max_value="1.5")), "/element/max_value"),
    (field(number_input(max_value="3", initial_value="4")), "/element/initial_value"),
    (field({"type": "file_input", "max_files": 11}), "/element/max_files"),
    (field({"type": "file_input"}, dispatch_action=True), "/dispatch_action"),
    ({"type": "data_table"}, "/type"),
    ("text", ""),
]


@pytest.mark.parametrize("surface", ["message", "modal"])
@pytest.mark.parametrize("block", BLOCKS_JUST_RIGHT)
def test_a_block_at_its_limit_is_accepted(block: Json, surface: str) -> None:
    problems = Problems()
    check_blocks(problems, [block], "/blocks", surface)
    assert problems == []


@pytest.mark.parametrize("surface", ["message", "modal"])
@pytest.mark.parametrize(("block", "pointer"), BLOCKS_TOO_MUCH)
def test_a_block_over_a_limit_is_refused_where_it_is_wrong(block: Any, pointer: str, surface: str) -> None:
    problems = Problems()
    check_blocks(problems, [block], "/blocks", surface)
    assert f"/blocks/0{pointer}" in [problem.pointer for problem in problems]


@pytest.mark.parametrize(("surface", "most"), [("message", 50), ("modal", 100), ("home", 100)])
def test_a_surface_takes_only_so_many_blocks(surface: str, most: int) -> None:
    fine, over = Problems(), Problems()
    check_blocks(fine, [section()] * most, "/blocks", surface)
    check_blocks(over, [section()] * (most + 1), "/blocks", surface)
    assert fine == []
    assert [problem.pointer for problem in over] == ["/blocks"]


def test_a_block_id_may_occur_once() -> None:
    problems = Problems()
    check_blocks(problems, [section(block_id="a"), section(block_id="a")], "/blocks", "message")
    assert [str(problem) for problem in problems] == [
        "[ERROR] block_id already exists: a [json-pointer:/blocks/1/block_id]"
    ]


def test_an_action_id_may_occur_again_in_another_block() -> None:
    problems = Problems()
    check_blocks(problems, [actions(button("a")), actions(button("a"))], "/blocks", "message")
    assert problems == []


@pytest.mark.parametrize("surface", ["modal", "home"])
def test_markdown_and_tables_are_for_messages_only(surface: str) -> None:
    for block in ({"type": "markdown", "text": "x" * 12_000}, table(100, 20)):
        fine, refused = Problems(), Problems()
        check_blocks(fine, [block], "/blocks", "message")
        check_blocks(refused, [block], "/blocks", surface)
        assert fine == []
        assert refused


def test_a_message_takes_12_000_characters_of_markdown_and_one_table_of_100_by_20() -> None:
    half = {"type": "markdown", "text": "x" * 6001}
    for blocks in ([half, half], [table(101, 1)], [table(1, 21)], [table(1, 1), table(1, 1)]):
        problems = Problems()
        check_blocks(problems, blocks, "/blocks", "message")
        assert problems


VIEWS_TOO_MUCH: list[Any] = [
    (modal(title=plain("x" * 25)), "/view/title/text"),
    (modal(title=mrkdwn()), "/view/title/type"),
    (modal(submit=plain("x" * 25)), "/view/submit/text"),
    (modal(close=plain("x" * 25)), "/view/close/text"),
    (modal(private_metadata="x" * 3001), "/view/private_metadata"),
    (modal(callback_id="x" * 256), "/view/callback_id"),
    (modal(external_id="x" * 256), "/view/external_id"),
    (modal(submit_disabled=True), "/view/submit_disabled"),
    (modal(notify_on_close="yes"), "/view/notify_on_close"),
    (modal(hash="1.2"), "/view"),
    (modal(type="dialog"), "/view/type"),
    (modal() | {"blocks": []}, "/view/blocks"),
    ({name: value for name, value in modal().items() if name != "title"}, "/view"),
    ({name: value for name, value in modal(field(text_input())).items() if name != "submit"}, "/view/submit"),
    (
        modal(field(text_input(focus_on_load=True), "a"), field(text_input(focus_on_load=True), "b")),
        "/view/blocks",
    ),
    ("text", "/view"),
]


@pytest.mark.parametrize(("view", "pointer"), VIEWS_TOO_MUCH)
def test_a_modal_over_a_limit_is_refused_where_it_is_wrong(view: Any, pointer: str) -> None:
    assert pointer in [problem.pointer for problem in check_view(view, "modal")]


def test_a_modal_at_its_limits_is_accepted() -> None:
    view = modal(title=plain("x" * 24), submit=plain("x" * 24), close=plain("x" * 24))
    view |= {"private_metadata": "x" * 3000, "callback_id": "x" * 255, "external_id": "x" * 255}
    assert check_view(view, "modal") == []


def test_a_home_has_neither_title_nor_submit() -> None:
    assert check_view({"type": "home", "blocks": [section(), field(text_input())]}, "home") == []
    assert check_view(modal() | {"type": "home"}, "home")


@pytest.mark.parametrize(
    "answer",
    [
        {"options": options(101)},
        {"options": [option("v" * 151)]},
        {"options": [option("v", "t" * 76)]},
        {"option_groups": [{"label": plain(), "options": options(101)}]},
        {"option_groups": [{"label": plain(), "options": options(1)}] * 101},
        {"options": [], "option_groups": []},
        {},
        None,
    ],
)
def test_an_answer_with_too_many_or_too_long_options_is_refused(answer: Any) -> None:
    assert check_suggestions(answer)


def test_an_answer_with_no_options_or_100_is_accepted() -> None:
    assert check_suggestions({"options": []}) == []
    assert check_suggestions({"options": options(100)}) == []


def test_metadata_holds_scalars_and_flat_objects_only() -> None:
    fine = {"event_type": "run", "event_payload": {"id": "1", "tags": ["a"], "who": {"id": "U1"}}}
    assert check_metadata(fine) == []
    assert check_metadata({"event_type": "run", "event_payload": {"who": {"deep": {"er": 1}}}})
    assert check_metadata({"event_type": "run"})
