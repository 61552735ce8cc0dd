from __future__ import annotations

from bot.cli.policy import failing_examples
from bot.policy_file.compile import compile_policy
from bot.policy_file.reader import parse_policy
from bot.sandbox import demo
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack


def test_the_demo_policys_own_tests_pass() -> None:
    source = parse_policy(demo.furnish_datadog(LocalDatadog()), "workflows.yml")
    assert source.fields.tests
    assert failing_examples(source, compile_policy(source, None)) == []


def test_an_example_counts_values_of_inputs_that_only_datadog_knows() -> None:
    text = demo.furnish_datadog(LocalDatadog())
    text += "  - { who: U02BOB, in: C01OPS, run: restart-service, with: { env: staging }, expect: allow }\n"
    source = parse_policy(text, "workflows.yml")
    assert failing_examples(source, compile_policy(source, None)) == []


def test_an_example_that_fails_is_told_with_its_line_and_what_the_rules_say() -> None:
    text = demo.furnish_datadog(LocalDatadog())
    text += "  - { who: U03GUEST, run: restart-service, expect: allow }\n"
    text += "  - { who: U03GUEST, run: no-such-thing, expect: allow }\n"
    source = parse_policy(text, "workflows.yml")
    first, second = failing_examples(source, compile_policy(source, None))
    line = len(text.splitlines()) - 1
    assert first == f"workflows.yml:{line}: tests[4]: expected allow, the rules say deny: no rule allows it"
    assert second == f"workflows.yml:{line + 1}: tests[5].run: no workflow is called “no-such-thing”"


def test_the_people_and_channels_of_the_policy_are_in_the_workspace() -> None:
    slack = LocalSlack()
    demo.furnish_slack(slack)
    assert {demo.ALICE, demo.BOB, demo.GUEST} <= set(slack.workspace.members)
    assert {demo.OPS, demo.GENERAL, demo.AUDIT} <= set(slack.workspace.channels)
