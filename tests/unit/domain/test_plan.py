"""A plan says in words what applying a policy would change."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.accounts import Account
from bot.domain.approvals import Quorum, Requirement
from bot.domain.catalogue import Limits
from bot.domain.plan import approval_changes, changes, effect, entry_changes
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


MANAGERS, DAN = Quorum("managers", ("U02BOB", "U03CARA")), Quorum("directors", ("U04DAN",))
ASKED = Requirement((MANAGERS,), timedelta(hours=2), timedelta(hours=1), channel="C04REVIEWS")
WITH_ALL = replace(ASKED, escalate_to=DAN, escalate_after=timedelta(hours=1), break_glass=timedelta(days=1))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            ASKED,
            replace(ASKED, quorums=(replace(MANAGERS, subjects=("U02BOB", "U05EVE")),)),
            "U05EVE joins managers; U03CARA leaves managers",
        ),
        (ASKED, replace(ASKED, quorums=(replace(MANAGERS, count=2),)), "2 of managers in place of 1"),
        (
            ASKED,
            replace(ASKED, quorums=(MANAGERS, DAN)),
            "by 1 of managers (U02BOB, U03CARA) and 1 of directors (U04DAN) in place of 1 of managers (U02BOB, U03CARA)",
        ),
        (
            ASKED,
            replace(ASKED, quorums=(DAN,)),
            "managers is now directors; U04DAN joins directors; U02BOB, U03CARA leave directors",
        ),
        (ASKED, replace(ASKED, own=True), "include_requester true, was false"),
        (replace(ASKED, step_up=True), ASKED, "step_up false, was true"),
        (ASKED, replace(ASKED, expires=timedelta(hours=3)), "expires after 3 hours, was 2 hours"),
        (ASKED, replace(ASKED, remind=timedelta(minutes=20)), "reminds every 20 minutes, was 1 hour"),
        (ASKED, replace(ASKED, channel=""), "asks in none, was C04REVIEWS"),
        (ASKED, replace(ASKED, break_glass=timedelta(days=1)), "break_glass 1 day, was none"),
        (
            ASKED,
            replace(WITH_ALL, break_glass=None),
            "escalates to directors (U04DAN); escalates after 1 hour, was none",
        ),
        (
            WITH_ALL,
            replace(WITH_ALL, escalate_to=replace(DAN, subjects=("U05EVE",))),
            "escalation: U05EVE joins directors; escalation: U04DAN leaves directors",
        ),
    ],
)
def test_a_change_of_an_approval_is_one_line_that_says_what_changes(
    before: Requirement, after: Requirement, words: str
) -> None:
    one, other = replace(ALICE, approval=before), replace(ALICE, approval=after, rule=2)
    (line,) = told(Policy(grants=(one,)), Policy(grants=(other,)))
    assert line == f"~ U01ALICE, restart-service in C01OPS with env production: the approval changes: {words}"


@pytest.mark.parametrize("field", [one.name for one in fields(Requirement)])
def test_no_part_of_an_approval_changes_unseen(field: str) -> None:
    other: dict[str, Any] = {
        "quorums": (replace(MANAGERS, subjects=MANAGERS.subjects[::-1]),),
        "expires": timedelta(1),
        "remind": timedelta(1),
        "channel": "C05",
        "escalate_after": timedelta(2),
        "escalate_to": None,
        "own": True,
        "step_up": True,
        "break_glass": None,
    }
    assert all(approval_changes(WITH_ALL, replace(WITH_ALL, **{field: other[field]})))
    assert approval_changes(WITH_ALL, replace(WITH_ALL, **{field: other[field]})) != []


def test_a_new_approval_is_told_with_the_ids_of_its_approvers_and_one_less_is_a_gain_and_a_loss() -> None:
    after_approval = replace(ALICE, approval=ASKED)
    scope = "restart-service in C01OPS with env production"
    assert told(Policy(grants=(after_approval,)), Policy(grants=(ALICE,))) == [
        f"+ U01ALICE gains {scope}",
        f"- U01ALICE loses {scope} after approval by 1 of managers (U02BOB, U03CARA)",
    ]


def test_of_several_rules_of_the_same_scope_each_changed_approval_is_told() -> None:
    one, two = replace(ALICE, approval=ASKED), replace(ALICE, approval=WITH_ALL, rule=2)
    after = [replace(each, approval=replace(each.approval or ASKED, step_up=True)) for each in (one, two)]
    lines = told(Policy(grants=(one, two)), Policy(grants=tuple(after)))
    assert [line.rpartition(": ")[2] for line in lines] == ["step_up true, was false"] * 2
    assert [line[0] for line in told(Policy(grants=(one, two)), Policy(grants=(after[0],)))] == ["-", "~"]


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
