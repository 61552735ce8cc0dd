"""A plan says in words what applying a policy would change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.accounts import Account
from bot.domain.catalogue import Limits
from bot.domain.plan import changes, effect, entry_changes
from bot.domain.policy import EVERYONE, EVERYWHERE, Effect, Freeze, Grant, Policy
from bot.domain.workflows import InputType
from tests.made_up import entry, string_input, values

ALICE = Grant(Effect.ALLOW, "U01ALICE", "restart-service", "C01OPS", {"env": ("production",)}, rule=1)
RESTART = entry(string_input("env", options=values("staging", "production")))
XMAS = datetime(2026, 12, 24, 18, tzinfo=UTC)
FREEZE = Freeze(("tag:ops",), XMAS, XMAS + timedelta(days=2), "holidays")
EU = Account("eu", "datadoghq.eu", "EU_API_KEY", "EU_APP_KEY")


@pytest.mark.parametrize(
    ("grant", "gained", "words"),
    [
        (ALICE, True, "U01ALICE gains restart-service in C01OPS with env production"),
        (ALICE, False, "U01ALICE loses restart-service in C01OPS with env production"),
        (Grant(Effect.ALLOW, EVERYONE, EVERYONE), True, "everyone gains every workflow"),
        (Grant(Effect.DENY, "S01SRE", "tag:ops"), True, "S01SRE is denied tag:ops"),
        (Grant(Effect.DENY, "S01SRE", "tag:ops"), False, "S01SRE is no longer denied tag:ops"),
        (
            replace(ALICE, channel=EVERYWHERE, when={"env": ("staging", "dev"), "count": (3,)}),
            True,
            "U01ALICE gains restart-service with env staging or dev and count 3",
        ),
    ],
)
def test_a_grant_is_told_by_its_effect(grant: Grant, gained: bool, words: str) -> None:
    assert effect(grant, gained=gained) == words


def told(before: Policy, after: Policy) -> list[str]:
    return [f"{change.sign} {change.words}" for change in changes(before, after)]


def test_a_first_policy_is_all_gain_and_its_end_all_loss() -> None:
    policy = Policy((RESTART,), (ALICE,), (FREEZE,), (EU,))
    assert told(Policy(), policy) == [
        "+ restart-service joins the catalogue",
        "+ U01ALICE gains restart-service in C01OPS with env production",
        "+ tag:ops from 2026-12-24 18:00 UTC to 2026-12-26 18:00 UTC is frozen",
        "+ Datadog account eu joins",
    ]
    assert [line[0] for line in told(policy, Policy())] == ["-"] * 4


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"title": "Restart"}, "it is called differently"),
        ({"description": "New"}, "it is described differently"),
        ({"tags": ("risky",)}, "its tags are different"),
        ({"limits": Limits(at_once=1)}, "its limits are different"),
        ({"lock_on": ("env",)}, "it locks on other inputs"),
        ({"account": "eu"}, "it is in another Datadog account"),
        ({"datadog_id": "other"}, "it is another workflow in Datadog"),
        ({"inputs": ()}, "input env is gone"),
        ({"inputs": (*RESTART.inputs, string_input("note"))}, "new input note"),
        ({"inputs": (replace(RESTART.inputs[0], options=()),)}, "input env has another choices"),
        (
            {"inputs": (replace(RESTART.inputs[0], secret=True, type=InputType.NUMBER),)},
            "input env has another type, secrecy",
        ),
        ({"definition_hash": "e" * 64}, "its definition in Datadog has changed"),
    ],
)
def test_what_becomes_of_a_workflow_is_told_by_its_parts(changed: dict[str, Any], words: str) -> None:
    after = replace(RESTART, **changed)
    assert entry_changes(RESTART, after) == [words]
    assert told(Policy((RESTART,)), Policy((after,))) == [f"~ restart-service: {words}"]


def test_the_same_right_by_another_rule_is_no_change() -> None:
    assert told(Policy(grants=(ALICE,)), Policy(grants=(replace(ALICE, rule=7, words="said otherwise", id=9),))) == []


def test_what_people_gave_is_no_part_of_a_plan() -> None:
    assert told(Policy(grants=(replace(ALICE, rule=0),)), Policy()) == []


def test_a_right_under_another_condition_is_lost_and_gained() -> None:
    after = replace(ALICE, when={"env": ("staging",)})
    assert told(Policy(grants=(ALICE,)), Policy(grants=(after,))) == [
        "+ U01ALICE gains restart-service in C01OPS with env staging",
        "- U01ALICE loses restart-service in C01OPS with env production",
    ]


def test_an_account_with_other_keys_is_told_without_them() -> None:
    (line,) = told(Policy(accounts=(EU,)), Policy(accounts=(replace(EU, api_key_env="OTHER"),)))
    assert line == "~ Datadog account eu has another site or other keys"


GRANTS = st.lists(
    st.builds(
        Grant,
        st.sampled_from(Effect),
        st.sampled_from(["U01ALICE", "S01SRE", EVERYONE]),
        st.sampled_from(["restart-service", "*"]),
        st.sampled_from(["C01OPS", EVERYWHERE]),
        st.sampled_from([{}, {"env": ("staging",)}]),
        st.integers(1, 5),
    ),
    max_size=5,
).map(tuple)


@given(GRANTS, GRANTS)
def test_a_plan_and_its_way_back_tell_the_same_with_signs_turned(
    one: tuple[Grant, ...], other: tuple[Grant, ...]
) -> None:
    there, back = (changes(Policy(grants=a), Policy(grants=b)) for a, b in ((one, other), (other, one)))
    turned = {"+": "-", "-": "+"}
    assert sorted(change.sign for change in there) == sorted(turned[change.sign] for change in back)
    assert changes(Policy(grants=one), Policy(grants=one)) == []
