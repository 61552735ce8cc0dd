"""The laws of deciding: what must hold whatever the rules are, also between picker, form and submit."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import policy
from bot.domain.approvals import Quorum, Requirement
from bot.domain.inputs import Input, same
from bot.domain.policy import (
    EVERYONE,
    EVERYWHERE,
    Decision,
    Effect,
    Grant,
    Reason,
    Verdict,
    approvals_possible,
    decide,
    feasible,
    may_all,
    narrowed,
)
from bot.domain.workflows import InputType
from tests.made_up import entry, string_input, values

OPS, GENERAL = "C01OPS", "C02GENERAL"
ALICE = frozenset({"U01ALICE", "S01SRE", EVERYONE})
SUBJECTS = ["U01ALICE", "U02BOB", "S01SRE", EVERYONE]

ENV = string_input("env", options=values("staging", "production"))
FORCE = Input(name="force", type=InputType.BOOLEAN)
HOSTS = Input(name="hosts", type=InputType.ARRAY_STRING, options=values("a", "b"))
ZONE = string_input("zone", options=values("eu", "us"), extra=True)
NOTE = string_input("note")
WORKFLOW = entry(ENV, FORCE, HOSTS, ZONE, NOTE)

# Every value that any rule below can tell from another, and for the open inputs one that no rule names.
HELD: dict[str, list[Any]] = {
    "env": ["staging", "production"],
    "force": [True, False],
    "hosts": [[], ["a"], ["b"], ["a", "b"]],
    "zone": ["eu", "us", "elsewhere"],
    "note": ["x", "anything"],
}
EVERY: list[dict[str, Any]] = [dict(zip(HELD, chosen, strict=True)) for chosen in itertools.product(*HELD.values())]
NAMED: dict[str, list[Any]] = {
    "env": ["staging", "production", "no option"],
    "force": [True, False, 1],
    "hosts": ["a", "b"],
    "zone": ["eu", "us"],
    "note": ["x", 7],
    "no input": ["x", None],
}
CONDITIONS = st.sampled_from(list(NAMED)).flatmap(
    lambda name: st.tuples(st.just(name), st.lists(st.sampled_from(NAMED[name]), min_size=1, max_size=2).map(tuple))
)
WHEN = st.lists(CONDITIONS, max_size=3).map(dict)


# What the rule of each number asks for; the last two ask for nothing.
HOUR = timedelta(hours=1)
APPROVALS = [
    Requirement((Quorum("managers", ("U02BOB",), count),), HOUR, HOUR, step_up=step_up, break_glass=glass)
    for count in (1, 2)
    for step_up, glass in ((False, None), (True, None), (False, HOUR), (False, 2 * HOUR))
]
RANK = {Verdict.DENY: 0, Verdict.NEEDS_APPROVAL: 1, Verdict.ALLOW: 2}


def _asking(grant: Grant) -> Grant:
    asks = grant.effect is Effect.ALLOW and grant.rule < len(APPROVALS)
    return replace(grant, approval=APPROVALS[grant.rule] if asks else None)


def rules(*effects: Effect, most: int = 5) -> st.SearchStrategy[list[Grant]]:
    grant = st.builds(
        Grant,
        effect=st.sampled_from(effects or tuple(Effect)),
        subject=st.sampled_from(SUBJECTS),
        target=st.sampled_from(["restart-service", "scale-service", "tag:ops", "*"]),
        channel=st.sampled_from([OPS, GENERAL, EVERYWHERE]),
        when=WHEN,
        rule=st.integers(0, 9),
    )
    return st.lists(grant.map(_asking), max_size=most)


ALLOWS, DENIES, ANY = rules(Effect.ALLOW), rules(Effect.DENY), rules()
VALUES = st.one_of(st.none(), st.sampled_from(EVERY))


def verdict(grants: Sequence[Grant], given_: Mapping[str, Any] | None, channel: str = OPS) -> Decision:
    return decide(grants, ALICE, WORKFLOW, channel, given_)


@given(ANY, DENIES, VALUES)
def test_adding_a_deny_never_allows_more(grants: list[Grant], more: list[Grant], given_: Any) -> None:
    if verdict([*grants, *more], given_).allowed:
        assert verdict(grants, given_).allowed


@given(ANY, ALLOWS, VALUES)
def test_adding_an_allow_never_allows_less(grants: list[Grant], more: list[Grant], given_: Any) -> None:
    if verdict(grants, given_).allowed:
        assert verdict([*more, *grants], given_).allowed


@given(ANY, DENIES, ALLOWS, VALUES)
def test_a_deny_never_lifts_an_approval_and_an_allow_never_adds_one(
    grants: list[Grant], denies: list[Grant], allows: list[Grant], given_: Any
) -> None:
    now = RANK[verdict(grants, given_).verdict]
    assert RANK[verdict([*grants, *denies], given_).verdict] <= now
    assert RANK[verdict([*allows, *grants], given_).verdict] >= now


@given(ANY, st.sampled_from(EVERY))
def test_what_needs_approval_was_said_beforehand(grants: list[Grant], given_: Any) -> None:
    decision = verdict(grants, given_)
    if decision.approval is not None:
        said = approvals_possible(grants, ALICE, WORKFLOW, OPS)
        assert decision.approval in [grant.approval for grant in said]


@given(ALLOWS, ALLOWS, VALUES)
def test_one_more_allow_never_takes_the_possibility_to_break_the_glass(
    grants: list[Grant], more: list[Grant], given_: Any
) -> None:
    if verdict(grants, given_).glass is not None:
        after = verdict([*more, *grants], given_)
        assert after.verdict is Verdict.ALLOW or after.glass is not None


@given(ANY, VALUES)
def test_the_glass_is_broken_by_a_rule_that_would_decide_so_by_itself(grants: list[Grant], given_: Any) -> None:
    decision = verdict(grants, given_)
    alone = [one for one in grants if one.effect is Effect.ALLOW and verdict([one], given_).glass is not None]
    if decision.verdict is Verdict.NEEDS_APPROVAL:
        assert (decision.glass is None) is (alone == [])
        assert decision.glass is None or decision.glass in alone
    else:
        assert decision.glass is None


@given(ANY, VALUES)
def test_the_rule_that_demands_least_decides_and_of_the_same_the_first(grants: list[Grant], given_: Any) -> None:
    decision = verdict(grants, given_)
    if decision.approval is not None:
        fitting = [one for one in grants if one.effect is Effect.ALLOW and verdict([one], given_).allowed]
        asked = [(one.approval.count, one.approval.step_up, one.rule) for one in fitting if one.approval is not None]
        assert len(asked) == len(fitting)
        assert (decision.approval.count, decision.approval.step_up, decision.rule) == min(asked)


@given(DENIES, VALUES, st.sampled_from([OPS, GENERAL, ""]))
def test_where_no_rule_allows_it_is_denied(denies: list[Grant], given_: Any, channel: str) -> None:
    assert verdict([], given_, channel).reason is Reason.NO_RULE
    assert not verdict(denies, given_, channel).allowed


@given(ANY.flatmap(lambda grants: st.tuples(st.just(grants), st.permutations(grants))), VALUES)
def test_a_decision_does_not_depend_on_the_order_of_rules(both: tuple[list[Grant], list[Grant]], given_: Any) -> None:
    one, other = (verdict(grants, given_) for grants in both)
    # Which of several denies is named may differ; that it is a deny, or that no rule fits, may not.
    assert (one.verdict, one.reason, one.approval) == (other.verdict, other.reason, other.approval)
    assert (one.glass and one.glass.rule) == (other.glass and other.glass.rule)
    assert feasible(both[0], ALICE, WORKFLOW, OPS) is feasible(both[1], ALICE, WORKFLOW, OPS)


@given(ANY, VALUES)
def test_outside_the_channel_the_persons_right_is_worth_nothing(grants: list[Grant], given_: Any) -> None:
    inside = [grant for grant in grants if grant.channel == OPS]
    assert not verdict(inside, given_, GENERAL).allowed
    assert not feasible(inside, ALICE, WORKFLOW, GENERAL)


@given(ANY, VALUES)
def test_other_peoples_rules_change_nothing(grants: list[Grant], given_: Any) -> None:
    mine = [grant for grant in grants if grant.subject in ALICE]
    assert verdict(grants, given_) == verdict(mine, given_)


@given(ANY)
def test_the_picker_offers_what_some_submit_accepts_and_nothing_else(grants: list[Grant]) -> None:
    accepted = any(verdict(grants, one).allowed for one in EVERY)
    assert feasible(grants, ALICE, WORKFLOW, OPS) is accepted


@given(ANY)
def test_the_form_offers_the_options_that_some_submit_accepts_and_no_others(grants: list[Grant]) -> None:
    accepted = [one for one in EVERY if verdict(grants, one).allowed]
    shown = narrowed(grants, ALICE, WORKFLOW, OPS)
    for field, before in zip(shown.inputs, WORKFLOW.inputs, strict=True):
        whole = HELD[field.name] if not before.options else [option.value for option in before.options]
        closed = [item for item in whole if before.options or before.type is InputType.BOOLEAN]
        good = [item for item in closed if any(_holds(one[field.name], item) for one in accepted)]
        offered = [option.value for option in field.options] if field.options else closed
        assert offered == (good or closed)


def _holds(value: Any, item: Any) -> bool:
    return any(same(one, item) for one in (value if isinstance(value, list) else [value]))


@given(ANY, st.sampled_from(EVERY))
def test_whatever_a_submit_accepts_was_offered(grants: list[Grant], one: dict[str, Any]) -> None:
    if verdict(grants, one).allowed:
        assert verdict(grants, None).allowed
        assert feasible(grants, ALICE, WORKFLOW, OPS)
        shown = narrowed(grants, ALICE, WORKFLOW, OPS)
        for field in shown.inputs:
            field.checked(one[field.name])


@given(ANY, st.lists(st.sampled_from(list(HELD)), unique=True), st.sampled_from(EVERY))
def test_what_one_may_lock_one_may_run_whatever_the_other_values_are(
    grants: list[Grant], locked: list[str], one: dict[str, Any]
) -> None:
    when = {name: one[name] for name in locked}
    held = [values for values in EVERY if all(values[name] == when[name] for name in when)]
    if may_all(grants, ALICE, WORKFLOW, OPS, when):
        assert all(verdict(grants, values).allowed for values in held)


def deny(**when: Any) -> Grant:
    return Grant(Effect.DENY, EVERYONE, "*", when={name: (value,) for name, value in when.items()})


def allow(**when: Any) -> Grant:
    return Grant(Effect.ALLOW, EVERYONE, "*", when={name: (value,) for name, value in when.items()})


@pytest.mark.parametrize(
    ("grants", "offered"),
    [
        ([allow(env="staging"), deny(env="staging")], False),
        ([allow(), deny(env="staging"), deny(env="production")], False),
        ([allow(), deny(env="staging", force=True), deny(env="staging", force=False), deny(env="production")], False),
        ([allow(), deny(env="staging", force=True), deny(env="production", force=False)], True),
        ([allow(note="x"), deny(note="x")], False),
        ([allow(), deny(note="x")], True),
        ([allow(), deny(zone="eu"), deny(zone="us")], True),
        ([allow(force=True), deny(force=True)], False),
        ([allow(env="no option")], False),
        ([allow(note=7)], False),
        ([allow(**{"no input": "x"})], False),
        ([allow(env="staging"), deny(), allow()], False),
    ],
)
def test_denies_with_conditions_are_weighed_over_all_options(grants: list[Grant], offered: bool) -> None:
    assert feasible(grants, ALICE, WORKFLOW, OPS) is offered


def test_where_the_search_ends_unanswered_the_workflow_is_offered_and_the_submit_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything = [deny(env=env, force=force) for env in HELD["env"] for force in HELD["force"]]
    assert not feasible([allow(), *everything], ALICE, WORKFLOW, OPS)
    monkeypatch.setattr(policy, "SEARCH_LIMIT", 2)
    assert feasible([allow(), *everything], ALICE, WORKFLOW, OPS)
    assert not any(verdict([allow(), *everything], one).allowed for one in EVERY)
