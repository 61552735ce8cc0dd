from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.inputs import Input
from bot.domain.workflows import InputType
from bot.slack.forms.command_text import Command, UnreadableCommand, read_command, read_pairs
from bot.slack.ids import Subcommand
from tests.made_up import entry, string_input, values

PIECES = st.lists(
    st.one_of(
        st.sampled_from(["run ", "list", "a=", "=", '"', "'", "<@U01|x>", "<", "&amp;", "“", "\\", "#"]), st.text()
    ),
    max_size=8,
).map("".join)


@given(st.one_of(st.text(), PIECES))
def test_any_text_is_a_command_or_words_about_what_is_wrong(text: str) -> None:
    try:
        command = read_command(text)
    except UnreadableCommand as error:
        words = str(error)
        assert words.endswith((".", "!", "?"))
        return
    assert command.subcommand is None or command.subcommand in Subcommand


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=60), max_size=4))
def test_any_pairs_give_values_or_errors_by_name(pairs: dict[str, str]) -> None:
    workflow = entry(*(Input(kind.value.lower(), kind) for kind in InputType))
    found = read_pairs(workflow, pairs)
    assert set(found.given) | set(found.errors) == set(pairs)
    assert not set(found.given) & set(found.errors)


@pytest.mark.parametrize("text", ["", "   ", "\u00a0", "\n"])
def test_nothing_typed_is_the_bare_command(text: str) -> None:
    assert read_command(text) == Command(None)


@pytest.mark.parametrize(
    ("text", "words", "pairs"),
    [
        ("run restart-service", ("restart-service",), {}),
        ("RUN x a=1", ("x",), {"a": "1"}),
        ("run x a=1 b=2=3", ("x",), {"a": "1", "b": "2=3"}),
        ('run x a="two words"', ("x",), {"a": "two words"}),
        ("run x a=“two words”", ("x",), {"a": "two words"}),
        ("run x a=„zwei Worte“", ("x",), {"a": "zwei Worte"}),
        ("run x 'a=b c'", ("x",), {"a": "b c"}),
        ("run x a=", ("x",), {"a": ""}),
        ("run x =a", ("x", "=a"), {}),
        ("run\u00a0x a=1", ("x",), {"a": "1"}),
        ("run x why=it’s", ("x",), {"why": "it’s"}),
        (r"run x path=C:\temp\new", ("x",), {"path": r"C:\temp\new"}),
        ("run x a=#1 #2", ("x", "#2"), {"a": "#1"}),
        ("run x a=1;b|c>d", ("x",), {"a": "1;b|c>d"}),
        ("run x who=<@U01ALICE|alice>", ("x",), {"who": "U01ALICE"}),
        ("run x who=<@U01ALICE>", ("x",), {"who": "U01ALICE"}),
        ("run x in=<#C01OPS|ops> to=<#C02>", ("x",), {"in": "C01OPS", "to": "C02"}),
        ("run x url=<https://a.example/b?c=d&amp;e=f>", ("x",), {"url": "https://a.example/b?c=d&e=f"}),
        ("run x url=<https://a.example|a.example>", ("x",), {"url": "https://a.example"}),
        ("run x mail=<mailto:a@b.example|a@b.example>", ("x",), {"mail": "a@b.example"}),
        ("run x a=&lt;b&gt;&amp;amp;", ("x",), {"a": "<b>&amp;"}),
        ("run x a=&lt;@U01&gt;", ("x",), {"a": "<@U01>"}),
        ("run x a=<!channel>", ("x",), {"a": "<!channel>"}),
        ("run payload-check payload=1", ("payload-check",), {"payload": "1"}),
        ('run x j=\'{"a": [1, "b"]}\'', ("x",), {"j": '{"a": [1, "b"]}'}),
        ("run x a=🙂", ("x",), {"a": "🙂"}),
    ],
)
def test_what_slack_made_of_the_typing_is_undone(text: str, words: tuple[str, ...], pairs: dict[str, str]) -> None:
    command = read_command(text)
    assert (command.subcommand, command.words, dict(command.pairs)) == (Subcommand.RUN, words, pairs)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rum restart", "“rum” is not something I know. Try one of: run, list, status, history"),
        ("x" * 500, "is not something I know"),
        ('run x a="open', "A quote is opened and not closed"),
        ("run x why=don't", "A quote is opened and not closed"),
        ("run x a=1 a=2", "“a” is given twice"),
        ("lock x a deploy --dry-run", "--dry-run goes with run only. Without it, lock does what it says"),
        ("cancel R-1 --dry-run", "--dry-run goes with run only"),
    ],
)
def test_what_cannot_be_read_is_said_with_what_to_write(text: str, words: str) -> None:
    with pytest.raises(UnreadableCommand, match=words) as error:
        read_command(text)
    assert len(str(error.value)) < 300


WORKFLOW = entry(
    string_input("env", options=values("staging", "production")),
    Input("count", InputType.NUMBER),
    string_input("token", secret=True),
)


def test_pairs_become_typed_values() -> None:
    found = read_pairs(WORKFLOW, {"env": "staging", "count": "3"})
    assert (found.given, found.errors) == ({"env": "staging", "count": 3}, {})


def test_each_wrong_pair_has_its_own_words_and_the_right_ones_are_kept() -> None:
    found = read_pairs(WORKFLOW, {"env": "dev", "count": "3", "cuont": "4"})
    assert found.given == {"count": 3}
    assert "Choose one of: staging, production" in found.errors["env"]
    assert "Its inputs: env, count, token" in found.errors["cuont"]


def test_a_secret_is_taken_from_the_form_only_and_not_repeated() -> None:
    found = read_pairs(WORKFLOW, {"token": "hunter2"})
    assert found.given == {}
    assert "hunter2" not in found.errors["token"]


def test_a_workflow_without_inputs_says_so() -> None:
    assert "Its inputs: none." in read_pairs(entry(), {"a": "1"}).errors["a"]


def test_more_text_than_the_bot_sends_is_refused() -> None:
    with pytest.raises(UnreadableCommand, match="64,000"):
        read_pairs(entry(string_input("a")), {"a": "x" * 70_000})
