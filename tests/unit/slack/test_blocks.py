from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.audit import Record
from bot.domain.catalogue import CatalogueEntry, Listing
from bot.domain.inputs import Input
from bot.domain.policy import Decision, Reason, Verdict
from bot.domain.runs import Run, State
from bot.domain.workflows import InputType
from bot.sandbox.slack.block_kit import check_blocks, check_view, message_blocks_are_too_long, view_is_too_large
from bot.sandbox.slack.composition import Problems
from bot.sandbox.slack.input_state import initial_values, normalise
from bot.slack import error_text
from bot.slack.blocks.audit_post import TOGETHER, audit_post
from bot.slack.blocks.lists import help_text, history_text, offers_text, run_text
from bot.slack.blocks.modals import loading, notice, picker, recording
from bot.slack.blocks.refill import PROBLEM_BLOCK, refill
from bot.slack.blocks.run_message import run_message
from bot.slack.blocks.text import code, cut, escape, sentence_list
from bot.slack.blocks.workflow_form import FormMemory, problems, workflow_form
from bot.slack.ids import block_of
from tests.made_up import LONG_TEXT, NOON, TEXT, entries, entry, inputs, listing, run, string_input, values

MEMORY = FormMemory("w" * 80, "C01OPS", "d" * 64, "n" * 32)
MESSAGE_TEXT = 40_000  # characters (Slack docs: chat.postMessage)


def refused(view: Mapping[str, Any]) -> list[str]:
    return [str(problem) for problem in check_view(dict(view), "modal")]


def refused_message(blocks: list[dict[str, Any]]) -> list[str]:
    found = Problems()
    check_blocks(found, blocks, "/blocks", "message")
    return [str(problem) for problem in found]


# ---------------------------------------------------------------------------------------------------------------- forms


@given(entries(), LONG_TEXT)
def test_slack_takes_every_form(workflow: CatalogueEntry, note: str) -> None:
    assert refused(workflow_form(workflow, MEMORY, None, escape(note))) == []


@given(inputs(), TEXT)
def test_slack_takes_a_form_filled_with_anything_that_was_read_before(field: Input, text: str) -> None:
    filled = {field.name: [text] if field.is_list else text}
    if field.type in {InputType.STRING, InputType.ARRAY_STRING}:
        assert refused(workflow_form(entry(field), MEMORY, filled)) == []


@settings(max_examples=10)
@given(inputs())
def test_slack_takes_a_form_of_ninety_inputs_with_title_description_and_note(field: Input) -> None:
    many = tuple(replace(field, name=f"{'x' * 190} {number}") for number in range(90))
    view = workflow_form(entry(*many, description="<&>" * 600), MEMORY, None, "note")
    assert refused(view) == []
    assert refused(refill(view, "Something went wrong")) == []


def test_ninety_plain_inputs_stay_below_the_size_of_a_view() -> None:
    many = (string_input(f"input {number}", label="Label", options=values("a", "b", "c")) for number in range(90))
    assert not view_is_too_large(workflow_form(entry(*many), MEMORY))


@pytest.mark.parametrize(
    ("field", "element"),
    [
        (string_input(), "plain_text_input"),
        (Input("f", InputType.NUMBER), "number_input"),
        (Input("f", InputType.BOOLEAN), "radio_buttons"),
        (Input("f", InputType.OBJECT), "plain_text_input"),
        (Input("f", InputType.ARRAY_STRING), "plain_text_input"),
        (Input("f", InputType.ARRAY_BOOLEAN), "plain_text_input"),
        (string_input(options=values("a")), "static_select"),
        (string_input(options=values("a"), extra=True), "external_select"),
        (string_input(options=values(*range(100))), "static_select"),
        (string_input(options=values(*range(101))), "external_select"),
        (Input("f", InputType.ARRAY_STRING, options=values("a")), "multi_static_select"),
        (Input("f", InputType.ARRAY_NUMBER, options=values(*range(101))), "multi_external_select"),
    ],
)
def test_each_input_has_the_element_that_fits_it(field: Input, element: str) -> None:
    (block,) = [block for block in workflow_form(entry(field), MEMORY)["blocks"] if block["type"] == "input"]
    assert block["element"]["type"] == element
    assert block["optional"] is False


@pytest.mark.parametrize("default", ["", "hunter2"])
def test_a_secret_default_is_not_shown(default: str) -> None:
    view = json.dumps(workflow_form(entry(string_input(secret=True, has_default=True, default=default)), MEMORY))
    assert "initial_value" not in view
    assert "Kept secret" in view
    assert "hunter2" not in view
    assert "Empty means" not in view


def test_a_form_carries_no_more_than_names() -> None:
    assert set(json.loads(workflow_form(entry(), MEMORY)["private_metadata"])) == {"w", "c", "d", "n"}


@given(entries(), LONG_TEXT)
def test_a_form_shown_again_keeps_everything_typed_but_secrets_and_slack_takes_it(
    workflow: CatalogueEntry, words: str
) -> None:
    view = workflow_form(workflow, MEMORY)
    state = _typed_in(normalise(view["blocks"]))
    again = refill({**view, "state": {"values": state}, "id": "V1", "hash": "h"}, words or "?")
    assert refused(again) == []
    assert again["blocks"][0]["block_id"] == PROBLEM_BLOCK
    kept, secret = initial_values(normalise(again["blocks"])), {block_of(f.name) for f in workflow.inputs if f.secret}
    assert {name: value for name, value in kept.items() if name not in secret} == {
        name: value for name, value in state.items() if name not in secret
    }
    assert all(not element.get("value") for name in secret for element in kept[name].values())
    assert {key: again[key] for key in ("callback_id", "private_metadata", "title")} == {
        key: view[key] for key in ("callback_id", "private_metadata", "title")
    }


def test_a_form_shown_a_third_time_tells_only_of_the_last_problem() -> None:
    again = refill(refill(workflow_form(entry(string_input()), MEMORY), "first"), "second")
    assert "first" not in json.dumps(again)
    assert sum(block.get("block_id") == PROBLEM_BLOCK for block in again["blocks"]) == 1


def test_what_was_emptied_stays_empty() -> None:
    view = workflow_form(entry(string_input(has_default=True, default="staging")), MEMORY)
    state = {"input:env": {"input": {"type": "plain_text_input", "value": None}}}
    assert "initial_value" not in json.dumps(refill({**view, "state": {"values": state}}, "again"))


def _typed_in(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    state = initial_values(blocks)
    for each in state.values():
        for element in each.values():
            if element["type"] == "plain_text_input":
                element["value"] = "typed <b> & “c”\n🙂"
            elif element["type"] == "number_input":
                element["value"] = "12.5"
    return state


# -------------------------------------------------------------------------------------------------------- other modals


@given(st.lists(entries(most=0).map(listing), min_size=1, max_size=3), st.sampled_from([1, 2, 50]))
def test_slack_takes_every_picker(workflows: list[Listing], times: int) -> None:
    view = picker(workflows * times, "C01OPS")
    assert refused(view) == []
    assert ("external_select" in json.dumps(view)) is (len(workflows) * times > 100)


@given(LONG_TEXT.filter(bool), LONG_TEXT.filter(bool))
def test_slack_takes_every_notice(title: str, text: str) -> None:
    assert refused(notice(title, text)) == []


def test_slack_takes_the_modals_that_say_wait() -> None:
    assert refused(loading()) == refused(recording()) == []


# ------------------------------------------------------------------------------------------------------------- messages

RUNS = st.builds(
    run,
    title=LONG_TEXT.map(lambda text: text[:200]),
    user_name=TEXT,
    state=st.sampled_from(State),
    attempts=st.integers(0, 3),
    inputs=st.dictionaries(LONG_TEXT.map(lambda text: text[:200]), LONG_TEXT, max_size=30),
    secrets=st.dictionaries(TEXT, st.just("f" * 16), max_size=2),
    error=st.none() | LONG_TEXT,
    instance_id=st.none() | st.just("i-1"),
)


@given(RUNS, st.none() | st.just("https://app.datadoghq.com/workflow/x?instance=y"))
def test_slack_takes_every_message_of_a_run(made_up: Run, link: str | None) -> None:
    text, blocks = run_message(made_up, link)
    assert refused_message(blocks) == []
    assert 0 < len(text) <= MESSAGE_TEXT


@given(RUNS)
def test_a_message_of_a_run_pings_nobody_but_its_requester(made_up: Run) -> None:
    text, blocks = run_message(made_up, None)
    shown = [text, *(json.dumps(block, ensure_ascii=False) for block in blocks)]
    for each in shown:
        for mention in ("<!", "<@", "<#"):
            assert mention not in each.replace(f"<@{made_up.user_id}>", "").replace("<!date^", "")


@pytest.mark.parametrize("state", State)
def test_a_message_of_a_run_says_who_what_and_which_inputs(state: State) -> None:
    made_up = run(
        state=state, inputs={"env": "<!channel>"}, secrets={"token": "f00"}, error="Because", instance_id="i-7"
    )
    text, blocks = run_message(made_up, None)
    shown = json.dumps(blocks, ensure_ascii=False)
    assert "<@U01ALICE>" in text
    assert "<@U01ALICE>" in shown
    assert all(word in shown for word in ("Restart a service", "R-0123456789", "&lt;!channel&gt;", "i-7", "_secret_"))
    assert "f00" not in shown


@given(st.lists(RUNS, max_size=3), st.lists(entries(most=0).map(listing), max_size=3), st.sampled_from([1, 20]))
def test_lists_are_texts_that_slack_takes(runs: list[Run], workflows: list[Listing], times: int) -> None:
    texts = [history_text(runs * times), offers_text(workflows * times, "/workflow"), help_text("/workflow")]
    texts += [run_text(each, "https://app.datadoghq.com/", None) for each in runs]
    assert all(0 < len(text) <= MESSAGE_TEXT for text in texts)


def record(seq: int, **body: Any) -> Record:
    fields = {
        "at": "2026-07-28T12:00:00.000000Z",
        "act": "requested",
        "actor": {"team": "T", "user": "U01ALICE", "name": "Alice"},
        "run": "R-1",
        "workflow": "restart-service",
    }
    return Record(seq, json.dumps({**fields, **body}).encode(), f"{seq:064x}"[::-1])


@given(st.dictionaries(TEXT, LONG_TEXT, max_size=5), LONG_TEXT, st.integers(1, TOGETHER))
def test_slack_takes_every_audit_post_and_each_record_keeps_its_number_and_hash(
    given_: dict[str, str], name: str, count: int
) -> None:
    actor = {"team": "T", "user": "U01ALICE", "name": name}
    records = [record(seq, inputs=given_, error=name, actor=actor) for seq in range(1, count + 1)]
    text, blocks = audit_post(records)
    assert refused_message(blocks) == []
    assert not message_blocks_are_too_long(blocks)
    assert text
    for each, block in zip(records, blocks, strict=True):
        assert block["text"]["text"].startswith(f"*#{each.seq} ")
        assert f"`{each.hash[:16]}`" in block["text"]["text"]


def test_an_audit_post_names_people_without_pinging_them() -> None:
    _, (block,) = audit_post([record(7, inputs={"env": "<!here>"}, secret_inputs={"token": "f00"}, reason="no rule")])
    shown = block["text"]["text"]
    assert "<" not in shown
    assert "`U01ALICE`" in shown
    assert "token=(secret)" in shown
    assert "f00" not in shown


@pytest.mark.parametrize(
    ("act", "fact", "label"),
    [
        ("approval asked", "reason_given", "reason"),
        ("glass broken", "reason_given", "reason"),
        ("approved", "comment", "comment"),
        ("refused", "comment", "comment"),
        ("reviewed", "comment", "comment"),
    ],
)
def test_an_audit_post_of_an_approval_says_what_people_wrote_on_one_line_and_cut(
    act: str, fact: str, label: str
) -> None:
    _, (block,) = audit_post([record(7, act=act, **{fact: "<!here> is\n*#8 approved*" + "x" * 1000})])
    first, *witness = block["text"]["text"].splitlines()
    assert f" · {label} `&lt;!here&gt; is *#8 approved*xxx" in first
    assert first.count("x") < 200
    assert len(witness) == 1


@pytest.mark.parametrize(
    ("act", "told", "shown"),
    [
        ("ended", {"state": "failed", "instance": "5f0c"}, "state `failed` · instance `5f0c`"),
        (
            "grant added",
            {"effect": "allow", "subject": "U02BOB", "target": "scale", "in": "C01OPS", "when": {"env": ["staging"]}},
            'effect `allow` · for `U02BOB` · to run `scale` · in `C01OPS` · with `{"env": ["staging"]}`',
        ),
        ("admin denied", {"wanted": "grants"}, "wanted `grants`"),
        ("definition changed", {"changed": "the input “x” was added"}, "change `the input “x” was added`"),
        ("override used", {"settings": {"ALLOW_ACTORS": "guest"}}, 'settings `{"ALLOW_ACTORS": "guest"}`'),
        ("workspace removed", {"how": "uninstalled in Slack"}, "how `uninstalled in Slack`"),
        ("trail verified", {"breaks": 3}, "findings `3`"),
    ],
    ids=str,
)
def test_an_audit_post_tells_how_it_ended_who_was_given_what_and_what_was_loosened(
    act: str, told: dict[str, Any], shown: str
) -> None:
    _, (block,) = audit_post([record(7, act=act, **told)])
    assert shown in block["text"]["text"].splitlines()[0]


# ---------------------------------------------------------------------------------------------------------------- words


@given(st.text(), st.integers(1, 50))
def test_a_cut_text_is_never_longer_than_its_limit(text: str, limit: int) -> None:
    assert len(cut(text, limit)) <= limit
    assert cut(text, len(text) or 1) == text


@given(st.text())
def test_escaped_text_holds_no_markup_and_nothing_is_lost(text: str) -> None:
    shown = escape(text)
    assert "<" not in shown
    assert ">" not in shown
    assert shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


@given(TEXT)
def test_a_code_span_is_one_line_and_cannot_be_left(text: str) -> None:
    shown = code(text)
    assert shown == "_empty_" or (shown.count("`") == 2 and "\n" not in shown and "<" not in shown)


def test_a_list_reads_like_a_sentence() -> None:
    assert [sentence_list(list("abc"[:n])) for n in (1, 2, 3)] == ["a", "a or b", "a, b or c"]


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.ALLOWED_BY_RULE])
def test_every_refusal_says_why_whom_to_ask_and_that_nothing_was_started(reason: Reason) -> None:
    decision = Decision(Verdict.DENY, reason, 3, "allow <sre>", ("C01OPS", "C02SEC"), {"env": ("staging", True)})
    words = error_text.refusal("<restart>", decision, ["U01ALICE"])
    assert (
        ("Come back" in words or "applied anew" in words) if reason in error_text.OBSTACLES else "<@U01ALICE>" in words
    )
    assert words.endswith("Nothing was started.")
    assert "<restart>" not in words


def test_a_refusal_names_what_would_do() -> None:
    elsewhere = Decision(Verdict.DENY, Reason.NOT_IN_THIS_CHANNEL, 1, channels=("C01OPS", "C02SEC"))
    assert "Use it in <#C01OPS> or <#C02SEC>: rule 1 of the policy." in error_text.refusal("x", elsewhere, [])
    worded = replace(elsewhere, words="allow alice in C01OPS")
    assert "rule 1 of the policy says `allow alice in C01OPS`." in error_text.refusal("x", worded, [])
    values_ = Decision(Verdict.DENY, Reason.NOT_WITH_THESE_VALUES, 4, when={"env": ("staging", "dev")})
    assert "Rule 4 allows `env` as `staging` or `dev`." in error_text.refusal("x", values_, [])


def test_problems_are_told_by_the_fields_titles() -> None:
    note = problems(entry(string_input(label="<Where>")), {"env": "no <b>", "other": "unknown"})
    assert note == "*&lt;Where&gt;*: no &lt;b&gt;\n*other*: unknown"


def test_moments_are_shown_in_the_readers_own_time() -> None:
    assert f"<!date^{int(NOON.timestamp())}^" in history_text([run()])
