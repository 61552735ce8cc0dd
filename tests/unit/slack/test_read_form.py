from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.inputs import TEXT_LIMIT, Input, as_text, same
from bot.domain.workflows import AllowedValue, InputType
from bot.sandbox.slack.input_state import initial_values, normalise
from bot.slack.blocks.workflow_form import FormMemory, option_key, typed_choice, workflow_form
from bot.slack.forms.workflow_form import read_form
from bot.slack.ids import Action, block_of
from bot.use_cases.run_workflow import Values
from tests.made_up import entries, entry, string_input, values

MEMORY = FormMemory("restart-service", "C01OPS", "d" * 64, "nonce")
Json = dict[str, Any]


def form_state(name: str, **element: Any) -> Json:
    return {block_of(name): {Action.INPUT.value: element}}


def option(value: str, text: str = "shown") -> Json:
    return {"text": {"type": "plain_text", "text": text}, "value": value}


def read_one(field: Input, **element: Any) -> Values:
    return read_form(entry(field), form_state(field.name, **element))


@pytest.mark.parametrize(
    ("field", "element", "value"),
    [
        (string_input(), {"type": "plain_text_input", "value": " two words\n"}, " two words\n"),
        (Input("n", InputType.NUMBER), {"type": "number_input", "value": "2.50"}, 2.5),
        (Input("b", InputType.BOOLEAN), {"type": "radio_buttons", "selected_option": option("false")}, False),
        (Input("o", InputType.OBJECT), {"type": "plain_text_input", "value": '{"a": 1}'}, {"a": 1}),
        (Input("l", InputType.ARRAY_STRING), {"type": "plain_text_input", "value": "a\nb"}, ["a", "b"]),
        (Input("l", InputType.ARRAY_NUMBER), {"type": "plain_text_input", "value": "1,2"}, [1, 2]),
        (
            Input("l", InputType.ARRAY_BOOLEAN),
            {"type": "plain_text_input", "value": "yes, no"},
            [True, False],
        ),
        (Input("l", InputType.ARRAY_OBJECT), {"type": "plain_text_input", "value": "[{}]"}, [{}]),
        (string_input(options=values("a", "b")), {"type": "static_select", "selected_option": option("b")}, "b"),
        (
            Input("n", InputType.NUMBER, options=values(1, 2)),
            {"type": "static_select", "selected_option": option("2")},
            2,
        ),
        (
            string_input(options=values("a"), extra=True),
            {"type": "external_select", "selected_option": option("typed by hand")},
            "typed by hand",
        ),
        (
            Input("l", InputType.ARRAY_NUMBER, options=values(1, 2), extra=True),
            {"type": "multi_external_select", "selected_options": [option("2"), option("7")]},
            [2, 7],
        ),
    ],
)
def test_every_element_gives_its_typed_value(field: Input, element: Json, value: Any) -> None:
    found = read_one(field, **element)
    assert (found.given, found.errors) == ({field.name: value}, {})
    assert same(found.given[field.name], value)


@pytest.mark.parametrize(
    "element",
    [
        {"type": "plain_text_input", "value": None},
        {"type": "plain_text_input", "value": ""},
        {"type": "static_select", "selected_option": None},
        {"type": "multi_static_select", "selected_options": []},
        {},
    ],
)
def test_an_empty_field_gives_no_value_so_that_the_default_counts(element: Json) -> None:
    assert read_one(string_input(), **element) == Values({}, {})
    assert read_form(entry(string_input()), {}) == Values({}, {})


def test_an_error_belongs_to_its_field_and_other_values_are_kept() -> None:
    workflow = entry(Input("n", InputType.NUMBER), string_input("env"))
    state = form_state("n", value="ten") | form_state("env", value="staging")
    found = read_form(workflow, state)
    assert found.given == {"env": "staging"}
    assert "is not a number" in found.errors["n"]


def test_a_choice_that_was_taken_off_the_list_is_refused() -> None:
    found = read_one(string_input(options=values("a")), selected_option=option("gone"))
    assert "not one of the choices any more" in found.errors["env"]


def test_all_values_together_are_limited_and_the_error_has_a_field() -> None:
    many = [string_input(f"f{number}") for number in range(30)]
    state: Json = {}
    for field in many:
        state |= form_state(field.name, value="x" * TEXT_LIMIT)
    assert list(read_form(entry(*many), state).errors) == ["f0"]


LONG = "long " * 50


def test_a_value_too_long_for_an_option_is_known_by_its_hash() -> None:
    field = string_input(options=(AllowedValue(LONG, "Long"), AllowedValue("", "Nothing")))
    assert len(option_key(LONG)) <= 150
    assert read_one(field, selected_option=option(option_key(LONG))).given == {"env": LONG}
    assert read_one(field, selected_option=option(option_key(""))).given == {"env": ""}


def test_a_digest_typed_as_an_extra_value_is_that_digest() -> None:
    digest = "sha256:" + "ab" * 32
    field = string_input(options=values("latest"), extra=True)
    offered = typed_choice(digest)
    assert offered is not None
    assert read_one(field, selected_option=offered.to_dict()).given == {"env": digest}


def test_a_form_submitted_untouched_gives_nothing_for_an_empty_default_beside_the_list() -> None:
    field = string_input(options=values("a"), extra=True, has_default=True, default="")
    assert _untouched(entry(field)) == Values({}, {})


@given(entries())
def test_a_form_submitted_untouched_gives_the_defaults_that_it_shows(workflow: Any) -> None:
    found = _untouched(workflow)
    assert found.errors == {}
    for name, value in found.given.items():
        field = workflow.input(name)
        assert field.has_default
        # Line ends and spaces around the items of a typed list are not kept.
        assert same(value, field.default) or field.type is InputType.ARRAY_STRING, as_text(field.default)


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=20), max_size=3))
def test_a_forms_memory_is_its_own_and_nothing_else(data: dict[str, str]) -> None:
    assert FormMemory.load(MEMORY.dump()) == MEMORY
    for text in (str(data).replace("'", '"'), "[]", "null", "1", ""):
        with pytest.raises(ValueError):
            FormMemory.load(text)


def _untouched(workflow: Any) -> Values:
    view = workflow_form(workflow, MEMORY)
    return read_form(workflow, initial_values(normalise(view["blocks"])))
