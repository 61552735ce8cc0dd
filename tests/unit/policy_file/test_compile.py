from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import InvalidPolicy
from bot.domain.inputs import Input, InvalidInput
from bot.domain.policy import Effect, Policy
from bot.domain.workflows import AllowedValue, InputType, Parameter, WorkflowDefinition
from bot.policy_file.compile import compile_policy
from bot.policy_file.reader import parse_policy

WORKFLOW = "version: 1\nworkflows:\n  restart:\n    id: ccf73164\n    inputs:\n"


def definition(*parameters: Parameter, **changes: Any) -> WorkflowDefinition:
    fields: dict[str, Any] = {
        "id": "ccf73164",
        "name": "Restart in Datadog",
        "description": "From Datadog",
        "published": True,
        "has_api_trigger": True,
        "parameters": parameters,
        "tags": (),
        "updated_at": None,
        "definition_hash": "h1",
    }
    return WorkflowDefinition(**{**fields, **changes})


ENV = Parameter(
    "env",
    InputType.STRING,
    label="Environment",
    has_default=True,
    default="staging",
    allowed_values=(AllowedValue("staging", "Staging"), AllowedValue("production", "Production")),
)
COUNT = Parameter("count", InputType.NUMBER)
ZONES = Parameter("zones", InputType.ARRAY_STRING, allowed_values=(AllowedValue("a", "A"), AllowedValue("b", "B")))


def compiled(text: str, *parameters: Parameter) -> Policy:
    definitions = {"restart": definition(*parameters)} if parameters else {}
    return compile_policy(parse_policy(text, "workflows.yml"), definitions)


def only_input(fields: str, parameter: Parameter) -> Input:
    (entry,) = compiled(f"{WORKFLOW}      {parameter.name}: {fields}\n", parameter).entries
    (field,) = entry.inputs
    return field


def errors_of(text: str, *parameters: Parameter) -> list[str]:
    with pytest.raises(InvalidPolicy) as error:
        compiled(text, *parameters)
    return str(error.value).split("\n")


def test_an_input_that_the_file_says_nothing_of_is_as_in_datadog() -> None:
    field = only_input("{}", ENV)
    assert (field.type, field.label, field.default) == (InputType.STRING, "Environment", "staging")
    assert field.options == ENV.allowed_values
    assert not field.required


def test_inputs_keep_datadogs_order_and_all_of_them_are_there() -> None:
    (entry,) = compiled(WORKFLOW + "      count: { label: How many }\n", ENV, COUNT, ZONES).entries
    assert [field.name for field in entry.inputs] == ["env", "count", "zones"]
    assert entry.inputs[1].label == "How many"


def test_the_file_words_an_input_anew() -> None:
    field = only_input("{ label: Where, description: Which cluster, secret: true }", ENV)
    assert (field.title, field.description, field.secret) == ("Where", "Which cluster", True)


def test_title_and_description_come_from_datadog_unless_the_file_has_its_own() -> None:
    plain = "version: 1\nworkflows: { restart: { id: ccf73164 } }\n"
    (entry,) = compiled(plain, COUNT).entries
    assert (entry.title, entry.description) == ("Restart in Datadog", "From Datadog")
    (entry,) = compiled(plain.replace("ccf73164 }", "ccf73164, title: Mine, description: Own }"), COUNT).entries
    assert (entry.title, entry.description) == ("Mine", "Own")
    (entry,) = compiled(plain).entries
    assert entry.title == "restart"


def test_a_name_in_datadog_longer_than_the_catalogue_holds_is_cut() -> None:
    source = parse_policy("version: 1\nworkflows: { restart: { id: ccf73164 } }\n", "workflows.yml")
    (entry,) = compile_policy(source, {"restart": definition(name="x" * 500)}).entries
    assert len(entry.title) == 150


def test_options_can_be_fewer_than_datadogs() -> None:
    assert [option.value for option in only_input("{ options: [staging] }", ENV).options] == ["staging"]


@pytest.mark.parametrize(
    ("fields", "parameter", "error"),
    [
        ("{ options: [staging, dev] }", ENV, "env.options[2]: “dev” is not allowed by the workflow"),
        ("{ extra_values: true }", ENV, "env.extra_values: the workflow in Datadog allows no values"),
        ("{ type: number }", ENV, "env.type: the input is of type string in Datadog"),
        ("{ options: [production] }", ENV, "env.default: “staging” is not allowed here"),
        ("{ default: dev }", ENV, "env.default: “dev” is not allowed here"),
        ("{ default: null }", ENV, "env.default: This takes text"),
        ("{ default: many }", COUNT, "count.default: This takes a number"),
        ("{ options: [1, two] }", COUNT, "count.options[2]: This takes a number"),
        ("{ default: [c] }", ZONES, "zones.default: “c” is not allowed here"),
        ("{ default: a }", ZONES, "zones.default: This takes a list of texts"),
        ("{ default: 9007199254740993 }", COUNT, "count.default: Whole numbers beyond"),
        ("{ default: .inf }", COUNT, "count.default: This number is too large"),
        ("{ default: 2026-01-01 }", COUNT, "count.default: This takes a number"),
        ("{ options: [2026-01-01] }", ENV, "env.options[1]: “2026-01-01” is not allowed by the workflow"),
        ("{ default: { on: .inf } }", Parameter("o", InputType.OBJECT), "o.default: This number is too large"),
        ("{ default: { 1: a } }", Parameter("o", InputType.OBJECT), "o.default: Names in a JSON object"),
        ("{ pattern: '[a-z]+', default: A1 }", Parameter("s", InputType.STRING), "s.default: “A1” does not match"),
    ],
)  # fmt: skip
def test_the_file_narrows_datadogs_inputs_and_never_widens_them(fields: str, parameter: Parameter, error: str) -> None:
    line = errors_of(f"{WORKFLOW}      {parameter.name}: {fields}\n", parameter)[0]
    assert line.startswith(f"workflows.yml:6: workflows.restart.inputs.{error}"), line


def test_a_date_without_quotes_is_the_text_that_was_written() -> None:
    assert only_input("{ default: 2026-01-01 }", Parameter("day", InputType.STRING)).default == "2026-01-01"
    assert only_input("{ default: { on: 2026-01-01 } }", Parameter("o", InputType.OBJECT)).default == {
        "on": "2026-01-01"
    }


def test_an_input_that_datadog_does_not_have_is_refused_with_a_near_miss() -> None:
    (line,) = errors_of(WORKFLOW + "      evn: { label: Where }\n", ENV)
    expected = "workflows.yml:6: workflows.restart.inputs.evn: the workflow in Datadog has no such input"
    assert line == f"{expected}. Did you mean “env”?"


ITEMS = st.sampled_from(["staging", "production", "dev", "a", ""])


@given(
    allowed=st.lists(ITEMS, max_size=3, unique=True),
    extra=st.booleans(),
    options=st.none() | st.lists(ITEMS, min_size=1, max_size=3, unique=True),
    wants_extra=st.none() | st.booleans(),
    value=ITEMS,
)
def test_no_file_lets_through_a_value_that_datadogs_own_form_would_not(
    allowed: list[str], extra: bool, options: list[str] | None, wants_extra: bool | None, value: str
) -> None:
    values = tuple(AllowedValue(item, item) for item in allowed)
    parameter = Parameter("env", InputType.STRING, allowed_values=values, allow_extra_values=extra)
    fields: dict[str, Any] = {}
    if options is not None:
        fields["options"] = options
    if wants_extra is not None:
        fields["extra_values"] = wants_extra
    try:
        field = only_input(str(fields).replace("True", "true").replace("False", "false"), parameter)
        field.checked(value)
    except (InvalidPolicy, InvalidInput):
        return
    assert not allowed or extra or value in allowed


def test_more_inputs_than_a_form_holds_are_refused() -> None:
    many = [Parameter(f"p{number}", InputType.STRING) for number in range(91)]
    (line,) = errors_of("version: 1\nworkflows: { restart: { id: ccf73164 } }\n", *many)
    assert line.startswith("workflows.yml:2: workflows.restart.inputs: 91 inputs are more than a form")
    assert len(compiled("version: 1\nworkflows: { restart: { id: x } }\n", *many[:90]).entries[0].inputs) == 90


RULES = WORKFLOW + "      env: {}\npeople: { sre: { users: [U01ALICE, U02BOB] } }\nrules:\n  - %s\n"


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ("{ allow: [sra], run: [restart] }", "rules[1].allow[1]: nobody is called “sra”. Did you mean “sre”?"),
        ("{ deny: [alice], run: [restart] }", "rules[1].deny[1]: nobody is called “alice”. Name a set under “people”"),
        ("{ allow: [sre], run: [restrat] }", "rules[1].run[1]: no workflow is called “restrat”. Did you mean “restart”?"),
        ("{ allow: [sre], run: ['tag:ops'] }", "rules[1].run[1]: no workflow is called “tag:ops”"),
        ("{ allow: [sre], run: ['*'], when: { evn: [a] } }", "rules[1].when.evn: no workflow of this rule has such an input"),
    ],
)  # fmt: skip
def test_a_rule_about_nobody_or_nothing_is_refused_at_its_line(rule: str, error: str) -> None:
    (line,) = errors_of(RULES % rule)
    assert line.startswith(f"workflows.yml:9: {error}"), line


TOO_FEW = "too few different people are named here"
LEFT = "too few people are left to approve what %s asks for"
BOTH = "U01ALICE or U02BOB"


@pytest.mark.parametrize(
    ("allow", "approval", "error"),
    [
        ("U01ALICE", "from: [U01ALICE]", LEFT % "U01ALICE"),
        ("U01ALICE", "from: [sre], count: 2", LEFT % "U01ALICE"),
        ("sre", "from: [sre], count: 2", LEFT % BOTH),
        ("U01ALICE", "from: [sre, U02BOB], each: true", LEFT % "U01ALICE"),
        ("U03CARA", "from: [U02BOB, U02BOB], each: true", TOO_FEW),
        ("S01ONCALL", "from: [bobs, U02BOB], each: true", TOO_FEW),
        ("U01ALICE", "from: [U01ALICE, S01ONCALL], each: true", LEFT % "U01ALICE"),
        ("U01ALICE", "from: [U01ALICE], include_requester: true, break_glass: 1h", LEFT % "U01ALICE"),
        ("U01ALICE", "from: [U01ALICE], include_requester: true", ""),
        ("U01ALICE", "from: [sre]", ""),
        ("sre", "from: [sre]", ""),
        ("sre", "from: [sre, U03CARA], count: 2", ""),
        ("U01ALICE", "from: [U01ALICE, S01ONCALL], count: 2", ""),
        ("U01ALICE", "from: [U01ALICE], escalate: { to: [U02BOB], after: 1h }", ""),
        ("'*'", "from: [U01ALICE]", ""),
        ("sre", "from: ['*'], count: 5, channel: C04REVIEWS", ""),
    ],
)
def test_an_approval_that_nobody_could_give_is_refused_at_its_line(allow: str, approval: str, error: str) -> None:
    people = "people: { sre: { users: [U01ALICE, U02BOB] }, bobs: { users: [U02BOB] } }"
    rule = f"{{ allow: [{allow}], run: [restart], approval: {{ {approval} }} }}"
    text = f"{WORKFLOW}      env: {{}}\n{people}\nrules:\n  - {rule}\n"
    if not error:
        assert compiled(text).grants
        return
    (line,) = errors_of(text)
    assert line.startswith(f"workflows.yml:9: rules[1].approval.from: {error}"), line


SECRET = "      env: {}\n      token: { secret: true }\n"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (
            "rules:\n  - { allow: [U01ALICE], run: [restart], when: { token: [hunter2] } }\n",
            "rules[1].when.token: this input is secret: a rule would show its value to everybody who asks why",
        ),
        ("    lock_on: [token]\n", "workflows.restart.lock_on[1]: the workflow has no such input"),
    ],
)
def test_a_secret_stays_out_of_rules_and_locks(more: str, error: str) -> None:
    (line,) = errors_of(WORKFLOW + SECRET + more, ENV, Parameter("token", InputType.STRING))
    assert error in line
    assert "hunter2" not in line


def test_checked_by_itself_a_file_may_name_inputs_that_only_datadog_knows() -> None:
    source = parse_policy(RULES % "{ allow: [sre], run: [restart], when: { region: [eu] } }", "workflows.yml")
    assert compile_policy(source, None).grants
    with pytest.raises(InvalidPolicy, match=r"when\.region"):
        compile_policy(source, {})


def test_a_rule_becomes_a_grant_for_each_person_workflow_and_channel() -> None:
    grants = compiled(
        RULES % "{ allow: [sre, U03CARA, sre], run: [restart, '*'], in: [C01, C02], when: { env: [a] } }"
    ).grants
    assert len(grants) == 3 * 2 * 2
    assert {grant.subject for grant in grants} == {"U01ALICE", "U02BOB", "U03CARA"}
    assert {(grant.effect, grant.rule, tuple(grant.when.items())) for grant in grants} == {
        (Effect.ALLOW, 1, (("env", ("a",)),))
    }


def test_a_rule_without_channels_holds_everywhere() -> None:
    (grant,) = compiled(RULES % "{ deny: ['*'], run: [restart] }").grants
    assert (grant.effect, grant.subject, grant.channel) == (Effect.DENY, "*", "*")


def test_the_definition_hash_changes_with_form_and_definition_and_nothing_else() -> None:
    def hash_of(text: str, **changes: Any) -> str:
        source = parse_policy(WORKFLOW + text, "workflows.yml")
        return compile_policy(source, {"restart": definition(ENV, **changes)}).entries[0].definition_hash

    same = hash_of("      env: {}\n")
    assert hash_of("      env: { label: Worded anew }\n") == same
    assert hash_of("      env: {}\n", name="Renamed") == same
    changed = [
        hash_of("      env: { options: [staging] }\n"),
        hash_of("      env: { default: production }\n"),
        hash_of("      env: { secret: true }\n"),
        hash_of("      env: {}\n", definition_hash="h2"),
    ]
    assert len({same, *changed}) == 5
