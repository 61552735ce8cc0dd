from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.inputs import (
    EXACT_INTEGER,
    NESTING_LIMIT,
    PAYLOAD_LIMIT,
    Input,
    InvalidInput,
    as_text,
    check_payload,
    same,
)
from bot.domain.workflows import AllowedValue, InputType
from tests.made_up import value_of, values


def field(kind: InputType, **changes: Any) -> Input:
    return Input(name="field", type=kind, **changes)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (InputType.STRING, " as typed ", " as typed "),
        (InputType.STRING, "true", "true"),
        (InputType.NUMBER, " 42 ", 42),
        (InputType.NUMBER, "-0.5", -0.5),
        (InputType.NUMBER, "1e3", 1000.0),
        (InputType.BOOLEAN, "Yes", True),
        (InputType.BOOLEAN, " off ", False),
        (InputType.OBJECT, '{"a": [1, null]}', {"a": [1, None]}),
        (InputType.ARRAY_STRING, "a, b,,c", ["a", "b", "c"]),
        (InputType.ARRAY_STRING, "a, b\nc\n", ["a, b", "c"]),
        (InputType.ARRAY_STRING, '["a,b", "c"]', ["a,b", "c"]),
        (InputType.ARRAY_STRING, "", []),
        (InputType.ARRAY_NUMBER, "1, 2.5", [1, 2.5]),
        (InputType.ARRAY_BOOLEAN, "yes,no", [True, False]),
        (InputType.ARRAY_OBJECT, '[{"a": 1}]', [{"a": 1}]),
    ],
)
def test_what_a_person_types_becomes_a_value_of_the_type(kind: InputType, text: str, value: Any) -> None:
    found = field(kind).from_text(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (InputType.NUMBER, "ten", "“ten” is not a number"),
        (InputType.NUMBER, "true", "is not a number"),
        (InputType.NUMBER, "NaN", "is not a number"),
        (InputType.NUMBER, "Infinity", "is not a number"),
        (InputType.NUMBER, "1e999", "is not a number"),
        (InputType.NUMBER, "", "is not a number"),
        (InputType.NUMBER, "9" * 5000, "is not a number"),
        (InputType.NUMBER, "[" * 100_000, "is not a number"),
        (InputType.NUMBER, str(2**53), "can't be passed on exactly"),
        (InputType.BOOLEAN, "perhaps", "neither true nor false"),
        (InputType.OBJECT, "{", "not valid JSON.*line 1, column 2"),
        (InputType.OBJECT, "[]", "takes a JSON object"),
        (InputType.OBJECT, '{"a": NaN}', "NaN is not a value that JSON knows"),
        (InputType.OBJECT, '{"a": 1e999}', "too large"),
        (InputType.OBJECT, '{"a": ' + "9" * 5000 + "}", "a number that is too long"),
        (InputType.OBJECT, '{"a": "\\ud800"}', "can't be stored"),
        (InputType.OBJECT, '{"\\u0000": 1}', "can't be stored"),
        (InputType.OBJECT, '{"a":' * 40 + "1" + "}" * 40, "nested"),
        (InputType.OBJECT, "[" * 100_000, "nested"),
        (InputType.STRING, "a\x00b", "can't be stored"),
        (InputType.ARRAY_STRING, "[1]", "takes a list of texts"),
        (InputType.ARRAY_STRING, "[", "not valid JSON"),
        (InputType.ARRAY_NUMBER, "1, x", "“x” is not a number"),
        (InputType.ARRAY_BOOLEAN, "[1]", "true and false"),
        (InputType.ARRAY_OBJECT, '{"a": 1}', "array of objects"),
    ],
)
def test_what_is_no_value_of_the_type_is_refused_in_words(kind: InputType, text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        field(kind).from_text(text)


@given(st.sampled_from(list(InputType)), st.text(max_size=200))
def test_any_text_gives_a_value_or_an_error_for_the_field(kind: InputType, text: str) -> None:
    try:
        value = field(kind).from_text(text)
    except InvalidInput:
        return
    json.dumps(value, allow_nan=False).encode()


@given(st.data())
def test_a_value_survives_being_shown_and_typed_again(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(InputType)))
    value = data.draw(value_of(kind))
    assert field(kind).from_text(as_text(value)) == value


@given(value_of(InputType.OBJECT))
def test_every_json_object_is_a_value(value: Any) -> None:
    assert field(InputType.OBJECT).checked(value) is value


@pytest.mark.parametrize("value", [EXACT_INTEGER, -EXACT_INTEGER, 0.1, 0, -1])
def test_numbers_that_json_holds_exactly_pass(value: float) -> None:
    assert field(InputType.NUMBER).checked(value) == value


@pytest.mark.parametrize("kind", InputType)
@pytest.mark.parametrize("value", [None, b"bytes", object(), {1, 2}, [object()]])
def test_what_json_does_not_know_is_never_a_value(kind: InputType, value: Any) -> None:
    with pytest.raises(InvalidInput):
        field(kind).checked(value)


@pytest.mark.parametrize("value", [{"a": b"bytes"}, {1: "a"}, {"a": {2: 1}}, {"a": {1, 2}}])
def test_what_only_yaml_knows_is_refused_inside_an_object(value: Any) -> None:
    with pytest.raises(InvalidInput):
        field(InputType.OBJECT).checked(value)


def test_true_is_not_the_number_one() -> None:
    assert not same(True, 1)
    assert not same(0, False)
    assert same(1, 1.0)
    with pytest.raises(InvalidInput):
        field(InputType.NUMBER).checked(True)
    with pytest.raises(InvalidInput):
        field(InputType.NUMBER, options=values(1)).checked(True)


def test_only_listed_values_are_allowed_and_the_error_lists_them() -> None:
    env = field(InputType.STRING, options=values("staging", "production"))
    assert env.checked("staging") == "staging"
    with pytest.raises(InvalidInput, match=r"“dev” is not allowed here\. Choose one of: staging, production"):
        env.checked("dev")


def test_a_long_list_of_allowed_values_is_cut_in_the_error() -> None:
    many = field(InputType.NUMBER, options=tuple(AllowedValue(n, str(n)) for n in range(25)))
    with pytest.raises(InvalidInput, match="0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 15 more"):
        many.checked(99)


def test_every_item_of_a_list_must_be_allowed() -> None:
    zones = field(InputType.ARRAY_STRING, options=values("a", "b"))
    assert zones.checked(["a", "b", "a"]) == ["a", "b", "a"]
    with pytest.raises(InvalidInput, match="“c” is not allowed"):
        zones.checked(["a", "c"])


def test_extra_values_pass_where_they_are_allowed() -> None:
    assert field(InputType.STRING, options=values("a"), extra=True).checked("z") == "z"


def test_a_pattern_must_match_the_whole_text() -> None:
    ticket = field(InputType.STRING, pattern="[A-Z]+-[0-9]+")
    assert ticket.checked("OPS-12") == "OPS-12"
    for wrong in ("OPS-12 ", "xOPS-12", "OPS-12\n", ""):
        with pytest.raises(InvalidInput, match="does not match the pattern"):
            ticket.checked(wrong)


def test_an_error_quotes_only_the_beginning_of_a_long_text() -> None:
    with pytest.raises(InvalidInput) as error:
        field(InputType.NUMBER).from_text("x" * 3000)
    assert len(str(error.value)) < 150


def test_nesting_is_limited_not_only_in_text() -> None:
    value: Any = 1
    for _ in range(NESTING_LIMIT + 1):
        value = {"a": value}
    with pytest.raises(InvalidInput, match="nested"):
        field(InputType.OBJECT).checked(value)


def test_all_inputs_together_are_limited() -> None:
    check_payload({"a": "x" * (PAYLOAD_LIMIT - 20)})
    with pytest.raises(InvalidInput, match="64,000"):
        check_payload({"a": "x" * PAYLOAD_LIMIT})


def test_a_parameter_without_default_is_required_even_if_its_default_would_be_nothing() -> None:
    assert field(InputType.STRING).required
    assert not field(InputType.STRING, has_default=True, default="").required


def test_a_field_is_titled_by_its_label_or_else_its_name() -> None:
    assert field(InputType.STRING).title == "field"
    assert field(InputType.STRING, label="Service").title == "Service"
