from __future__ import annotations

from tests.made_up import entry, string_input

SERVICE = string_input("service")
ENV = string_input("env", has_default=True, default="staging")


def test_what_was_not_given_takes_its_default_in_the_forms_order() -> None:
    assert list(entry(ENV, SERVICE).with_defaults({"service": "web"}).items()) == [
        ("env", "staging"),
        ("service", "web"),
    ]


def test_what_was_given_wins_over_the_default_even_when_it_is_false() -> None:
    assert entry(ENV).with_defaults({"env": ""}) == {"env": ""}


def test_values_for_inputs_that_the_workflow_does_not_have_are_not_passed_on() -> None:
    assert entry(ENV).with_defaults({"other": 1}) == {"env": "staging"}


def test_only_inputs_without_default_can_be_missing() -> None:
    assert entry(ENV, SERVICE).missing({}) == (SERVICE,)
    assert entry(ENV, SERVICE).missing({"service": ""}) == ()


def test_a_rule_can_name_a_workflow_by_name_by_tag_and_by_everything() -> None:
    assert entry(tags=("ops", "risky")).targets == ("*", "restart-service", "tag:ops", "tag:risky")


def test_an_input_is_found_by_its_exact_name() -> None:
    assert entry(ENV).input("env") is ENV
    assert entry(ENV).input("ENV") is None
