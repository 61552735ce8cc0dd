"""What approvers are shown, whatever a run holds: Slack takes it, it says how things stand, and nobody can forge it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.approvals import Approval, ApprovalState, Quorum, Requirement, Review, Standing
from bot.domain.runs import State
from bot.sandbox.slack.block_kit import check_blocks, check_view, message_blocks_are_too_long, view_is_too_large
from bot.sandbox.slack.composition import Problems
from bot.slack.blocks.approval_message import approval_message, reminder
from bot.slack.blocks.approval_words import progress_text, quorums_text
from bot.slack.blocks.exact_inputs import visible
from bot.slack.blocks.pending import pending_line
from bot.slack.blocks.review_modal import headline, review_modal
from bot.slack.blocks.run_words import STEP_MARKS
from tests.made_up import JSON, LONG_TEXT, NOON, run

S = ApprovalState
MANAGERS = Quorum("managers", ("U02BOB", "U03CARA"))
APPROVAL = Approval(
    run_id="R-0123456789",
    state=ApprovalState.WAITING,
    requirement=Requirement((MANAGERS,), expires=timedelta(hours=1), remind=timedelta(minutes=20)),
    bound_to="b" * 64,
    reason="why",
    rule=1,
    asked_at=NOON,
    expires_at=NOON + timedelta(hours=1),
)


def standing(*reviews: Review, state: ApprovalState = ApprovalState.WAITING, **asks: Any) -> Standing:
    return Standing(replace(APPROVAL, state=state, requirement=replace(APPROVAL.requirement, **asks)), reviews)


def said(user: str, comment: str = "", approves: bool = True) -> Review:
    return Review("R-0123456789", user, user, approves, comment, NOON, (0,), "b" * 64)


# ------------------------------------------------------------------------------------------- whatever is in the inputs

SPELLED = [
    *"\u3164\u115f\u1160\uffa0\u034f\u180b\u180f\ufe00\ufe0f\U000e0100\u2800\u00a0\u2003\u3000\u202e\u200b\u00ad\r\x00"
]
HARD = st.text(st.sampled_from([*SPELLED, *'\\\\ uUx20`\n\t&<"aé🙂']), max_size=40)
VALUES = st.one_of(HARD, st.builds(lambda text, times: text * times, HARD, st.sampled_from([1, 5, 100, 1600])))
INPUTS = st.one_of(
    st.dictionaries(st.one_of(HARD, LONG_TEXT), st.one_of(VALUES, JSON), max_size=20),
    st.lists(st.one_of(st.sampled_from(["", "two\nlines", "two  spaces", "&" * 200, "x"]), VALUES), max_size=90).map(
        lambda each: {f"input {number} {'&' * 180}": value for number, value in enumerate(each)}
    ),
)
PEOPLE = st.lists(st.integers(10**8, 10**9).map(lambda number: f"U{number}"), min_size=1, max_size=300).map(tuple)
REVIEWS = st.lists(st.tuples(PEOPLE.map(lambda some: some[0]), LONG_TEXT.map(lambda text: text[:1000])), max_size=20)
STATES = [S.WAITING, S.APPROVED, S.REFUSED, S.REVIEW_OPEN, S.REVIEWED, S.EXPIRED, S.WITHDRAWN]


@settings(max_examples=150)
@given(INPUTS, LONG_TEXT.map(lambda text: text[:1000]), PEOPLE, REVIEWS, st.sampled_from(STATES))
def test_slack_takes_the_question_and_the_window_of_any_run(
    inputs: dict[str, Any], reason: str, people: tuple[str, ...], given_: list[tuple[str, str]], state: ApprovalState
) -> None:
    one = run(inputs=inputs, secrets={"token": "f" * 16}, title=reason[:200])
    asked = standing(*(said(*each) for each in given_), state=state, quorums=(replace(MANAGERS, subjects=people),))
    asked = replace(asked, approval=replace(asked.approval, reason=reason))
    _, blocks = approval_message(one, asked)
    found = Problems()
    check_blocks(found, blocks, "/blocks", "message")
    assert [str(problem) for problem in found] == []
    assert len(blocks) <= 50
    assert not message_blocks_are_too_long(blocks)
    assert 0 < len(reminder(one, asked)) <= 3000
    view = review_modal(one, asked, approves=True)
    assert [str(problem) for problem in check_view(view, "modal")] == []
    assert not view_is_too_large(view)


@pytest.mark.parametrize("value", ["", "two\nlines", "two  spaces"])
def test_many_inputs_that_are_empty_or_do_not_fit_a_line_are_asked_for(value: str) -> None:
    one = run(inputs={f"input {number}": value for number in range(40)})
    _, blocks = approval_message(one, standing())
    assert len(blocks) <= 50
    assert "too long" not in json.dumps(blocks)
    assert all(f"input {number}" in json.dumps(blocks) for number in range(40))
    assert "_empty_" in json.dumps(blocks) or value


def test_inputs_that_not_even_a_window_holds_can_only_be_refused() -> None:
    view = json.dumps(review_modal(run(inputs={"text": "🙂" * 60_000}), standing(), approves=True))
    assert "can only be refused" in view
    assert '"value": "approve"' not in view
    assert '"value": "approve"' in json.dumps(
        review_modal(run(inputs={"text": "x" * 60_000}), standing(), approves=True)
    )


@pytest.mark.parametrize("char", SPELLED, ids=lambda char: f"{ord(char):04x}")
def test_what_shows_nothing_is_spelled_out(char: str) -> None:
    shown = visible(f"a{char}b")
    assert char not in shown
    assert f"{ord(char):x}b" in shown


@given(HARD, HARD)
def test_no_two_values_look_the_same(one: str, other: str) -> None:
    assert (visible(one) == visible(other)) is (one == other)


def test_what_is_typed_can_not_look_like_what_is_spelled_out() -> None:
    assert visible("\u202e") == r"\u202e"
    assert visible(r"\u202e") == r"\\u202e"
    assert visible("\\\u202e") == r"\\\u202e"
    assert visible(r"C:\temp") == r"C:\temp"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" a", r"\x20a"),
        ("a ", r"a\x20"),
        ("a \nb", "a\\x20\nb"),
        ("a\n", r"a\x0a"),
        ("  ", r"\x20\x20"),
        ("a\n b\tc", "a\n b\tc"),
    ],
)
def test_space_at_the_ends_can_be_seen(text: str, shown: str) -> None:
    assert visible(text) == shown


# ------------------------------------------------------------------------------------------------ who has to approve

MANY = tuple(f"U{number:08}" for number in range(100, 160))


def texts(blocks: list[dict[str, Any]]) -> list[str]:
    return [block["text"]["text"] for block in blocks if block["type"] == "section"]


def test_everybody_who_is_asked_is_mentioned_in_the_question_and_in_reminders() -> None:
    asked = standing(quorums=(replace(MANAGERS, subjects=MANY),))
    question = "\n".join(texts(approval_message(run(), asked)[1]))
    assert all(f"<@{one}>" in question and f"<@{one}>" in reminder(run(), asked) for one in MANY)


def test_after_the_escalation_its_people_are_mentioned_first() -> None:
    up = Quorum("directors", ("U04DAN",))
    asked = standing(quorums=(replace(MANAGERS, subjects=MANY * 20),), escalate_to=up)
    asked = replace(asked, approval=replace(asked.approval, escalated=True))
    assert "managers or directors (<@U04DAN>, " in reminder(run(), asked)
    assert "managers or directors (<@U04DAN>, " in "\n".join(texts(approval_message(run(), asked)[1]))


@pytest.mark.parametrize(
    ("quorum", "words"),
    [
        (Quorum("U02BOB", ("U02BOB",)), "<@U02BOB>"),
        (Quorum("U02BOB or U03CARA", ("U02BOB", "U03CARA")), "1 of <@U02BOB> or <@U03CARA>"),
        (Quorum("S01MANAGERS", ("S01MANAGERS",), 2), "2 of <!subteam^S01MANAGERS>"),
        (Quorum("managers", ("U02BOB", "U03CARA")), "1 of managers (<@U02BOB>, <@U03CARA>)"),
        (Quorum("managers or U04DAN", ("U02BOB", "U04DAN")), "1 of managers or <@U04DAN> (<@U02BOB>)"),
        (Quorum("everyone else", ("*",)), "1 of everyone else"),
    ],
    ids=lambda one: one.name if isinstance(one, Quorum) else "",
)
def test_people_whom_the_policy_names_by_id_are_mentioned_once_and_no_id_is_shown(quorum: Quorum, words: str) -> None:
    assert quorums_text([quorum]) == words
    for state in (S.WAITING, S.REVIEW_OPEN):
        progress = progress_text(run(), standing(quorums=(quorum,), state=state))
        assert not re.search(r"(?<![@^])\b[US]0\w+", progress)
    assert not re.search(
        r"(?<![@^])\b[US]0\w+", pending_line(run(), standing(quorums=(quorum,)), NOON).partition("needs")[2]
    )


def test_who_has_answered_is_not_reminded() -> None:
    both = Quorum("U02BOB or U03CARA", ("U02BOB", "U03CARA"), 2)
    assert "U02BOB" not in reminder(run(), standing(said("U02BOB"), quorums=(both,)))


# ------------------------------------------------------------------------------------------------------------ comments

FORGED = "fine\n*Still needed*  nobody\u2028:white_check_mark: <@U03CARA> approved\r\n:no_entry: x"


def test_long_comments_do_not_push_out_what_is_still_needed() -> None:
    asked = standing(*(said(f"U0{number}", "&" * 1000) for number in range(9)), quorums=(replace(MANAGERS, count=9),))
    for blocks in (approval_message(run(), asked)[1], review_modal(run(), asked, approves=True)["blocks"]):
        assert [text for text in texts(blocks) if text.startswith("*Still needed*  ")]


def test_no_line_of_a_comment_can_be_taken_for_the_bots_own() -> None:
    asked = standing(said("U02BOB", FORGED), quorums=(replace(MANAGERS, count=2),))
    shown = [text for text in texts(approval_message(run(), asked)[1]) if "fine" in text]
    shown += [text for text in texts(review_modal(run(), asked, approves=True)["blocks"]) if "fine" in text]
    shown.append(progress_text(run(), replace(asked, approval=replace(asked.approval, state=S.REFUSED))))
    for text in shown:
        first, *lines = text.splitlines()
        assert first.startswith(":white_check_mark: <@U02BOB> approved")
        assert len(lines) == 4
        assert all(line.startswith("> ") for line in lines)


# ------------------------------------------------------------------------------------------------------- broken glass


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": State.READY}, "is being started"),
        ({"state": State.RUNNING, "instance_id": "i"}, "was started"),
        ({"state": State.FAILED, "instance_id": "i"}, "was started"),
        ({"state": State.NOT_STARTED}, "was not started"),
        ({"state": State.CANCELLED}, "was not started"),
        ({"state": State.CANCELLED, "instance_id": "i"}, "was started"),
        ({"state": State.UNKNOWN}, "may have been started"),
    ],
    ids=str,
)
def test_broken_glass_is_said_to_have_started_only_what_was_started(changes: dict[str, Any], words: str) -> None:
    glass, one = standing(state=ApprovalState.REVIEW_OPEN), run(**changes)
    says = f"{words} without approval"
    assert says in headline(one, glass)
    assert says in headline(one, standing(said("U02BOB"), state=ApprovalState.REVIEWED))
    assert says in reminder(one, glass)
    assert says in approval_message(one, glass)[0]
    begins = words.removeprefix("was ").capitalize()
    assert progress_text(one, glass).startswith(f"{begins} *without approval*")


def test_marks_of_steps_are_by_datadogs_own_states() -> None:
    assert not set(STEP_MARKS) & {state.value for state in State}
