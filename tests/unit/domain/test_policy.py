from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.catalogue import CatalogueEntry
from bot.domain.inputs import Input
from bot.domain.policy import EVERYONE, EVERYWHERE, Decision, Effect, Grant, Reason, Verdict, decide
from bot.domain.workflows import InputType
from tests.made_up import entry

ALICE = frozenset({"U01ALICE", "S01SRE", EVERYONE})
HOSTS = Input(name="hosts", type=InputType.ARRAY_STRING)
RESTART = entry(Input(name="env", type=InputType.STRING), HOSTS, tags=("ops",))
OTHER = entry(name="scale-service", tags=("ops", "risky"))


def allow(subject: str = "U01ALICE", target: str = "restart-service", **more: Any) -> Grant:
    return Grant(Effect.ALLOW, subject, target, **more)


def deny(subject: str = "U01ALICE", target: str = "restart-service", **more: Any) -> Grant:
    return Grant(Effect.DENY, subject, target, **more)


STAGING = {"env": ("staging",)}
PRODUCTION = {"env": ("production",)}


@pytest.mark.parametrize(
    ("grants", "values", "reason"),
    [
        ([], {}, Reason.NO_RULE),
        ([allow()], {}, Reason.ALLOWED_BY_RULE),
        ([allow("U02BOB")], {}, Reason.NO_RULE),
        ([allow("S01SRE")], {}, Reason.ALLOWED_BY_RULE),
        ([allow(EVERYONE)], {}, Reason.ALLOWED_BY_RULE),
        ([allow(target="scale-service")], {}, Reason.NO_RULE),
        ([allow(target="tag:ops")], {}, Reason.ALLOWED_BY_RULE),
        ([allow(target="tag:risky")], {}, Reason.NO_RULE),
        ([allow(target="*")], {}, Reason.ALLOWED_BY_RULE),
        ([allow(channel="C01OPS")], {}, Reason.ALLOWED_BY_RULE),
        ([allow(channel="C02GENERAL")], {}, Reason.NOT_IN_THIS_CHANNEL),
        ([allow(), deny()], {}, Reason.DENIED_BY_RULE),
        ([deny(), allow()], {}, Reason.DENIED_BY_RULE),
        ([allow(), deny(EVERYONE, "*")], {}, Reason.DENIED_BY_RULE),
        ([allow(), deny(target="tag:ops")], {}, Reason.DENIED_BY_RULE),
        ([allow(), deny("U02BOB")], {}, Reason.ALLOWED_BY_RULE),
        ([allow(), deny(channel="C02GENERAL")], {}, Reason.ALLOWED_BY_RULE),
        ([allow(), deny(channel="C01OPS")], {}, Reason.DENIED_BY_RULE),
        ([allow(when=STAGING)], {"env": "staging"}, Reason.ALLOWED_BY_RULE),
        ([allow(when=STAGING)], {"env": "production"}, Reason.NOT_WITH_THESE_VALUES),
        ([allow(when=STAGING)], {}, Reason.NOT_WITH_THESE_VALUES),
        ([allow(when=STAGING)], None, Reason.ALLOWED_BY_RULE),
        ([allow(when=STAGING), allow(when=PRODUCTION)], {"env": "production"}, Reason.ALLOWED_BY_RULE),
        ([allow(), deny(when=PRODUCTION)], {"env": "production"}, Reason.DENIED_BY_RULE),
        ([allow(), deny(when=PRODUCTION)], {"env": "staging"}, Reason.ALLOWED_BY_RULE),
        ([allow(), deny(when=PRODUCTION)], None, Reason.ALLOWED_BY_RULE),
        ([allow(when={"hosts": ("a", "b")})], {"hosts": ["a", "b"]}, Reason.ALLOWED_BY_RULE),
        ([allow(when={"hosts": ("a",)})], {"hosts": ["a", "b"]}, Reason.NOT_WITH_THESE_VALUES),
        ([allow(when={"hosts": ("a",)})], {"hosts": []}, Reason.NOT_WITH_THESE_VALUES),
        ([allow(), deny(when={"hosts": ("b",)})], {"hosts": ["a", "b"]}, Reason.DENIED_BY_RULE),
        ([allow(), deny(when={"hosts": ("b",)})], {"hosts": ["a"]}, Reason.ALLOWED_BY_RULE),
        ([allow(when={"n": (1,)})], {"n": True}, Reason.NOT_WITH_THESE_VALUES),
        ([allow(when={"n": (1,)})], {"n": "1"}, Reason.NOT_WITH_THESE_VALUES),
    ],
)
def test_the_rules_together_decide(grants: list[Grant], values: dict[str, Any] | None, reason: Reason) -> None:
    decision = decide(grants, ALICE, RESTART, "C01OPS", values)
    assert decision.reason is reason
    assert decision.allowed is (reason is Reason.ALLOWED_BY_RULE)


def test_a_decision_names_the_rule_that_made_it() -> None:
    grants = [
        allow("U02BOB", rule=1),
        allow(when=PRODUCTION, rule=2),
        allow(when=STAGING, rule=3),
        deny("U09X", rule=4),
    ]
    assert decide(grants, ALICE, RESTART, "C01OPS", {"env": "staging"}).rule == 3
    assert decide([*grants, deny(rule=5)], ALICE, RESTART, "C01OPS", {"env": "staging"}).rule == 5


def test_a_wrong_channel_comes_with_the_right_ones() -> None:
    grants = [allow(channel="C02"), allow(channel="C03"), allow(channel="C02")]
    assert decide(grants, ALICE, RESTART, "C01OPS", {}).channels == ("C02", "C03")


def test_wrong_values_come_with_those_that_would_do() -> None:
    decision = decide([allow(when=STAGING, rule=7)], ALICE, RESTART, "C01OPS", {"env": "production"})
    assert (decision.rule, decision.when) == (7, STAGING)


# ------------------------------------------------------------------------------------------- and whatever the rules are

VALUES = st.sampled_from(["staging", "production", "dev", True, 1, 0])
WHEN = st.dictionaries(
    st.sampled_from(["env", "hosts"]), st.lists(VALUES, min_size=1, max_size=2).map(tuple), max_size=2
)


def grants_of(
    effects: st.SearchStrategy[Effect], when: st.SearchStrategy[Any] = WHEN
) -> st.SearchStrategy[list[Grant]]:
    grant = st.builds(
        Grant,
        effect=effects,
        subject=st.sampled_from(["U01ALICE", "U02BOB", "S01SRE", EVERYONE]),
        target=st.sampled_from(["restart-service", "scale-service", "tag:ops", "tag:risky", "*"]),
        channel=st.sampled_from(["C01OPS", "C02GENERAL", EVERYWHERE]),
        when=when,
        rule=st.integers(1, 9),
    )
    return st.lists(grant, max_size=5)


ANY = grants_of(st.sampled_from(Effect))
Asked = tuple[frozenset[str], CatalogueEntry, str]
ASKED = st.tuples(
    st.sampled_from([ALICE, frozenset({"U02BOB", EVERYONE}), frozenset({"U03CARA"})]),
    st.sampled_from([RESTART, OTHER]),
    st.sampled_from(["C01OPS", "C02GENERAL", "D01"]),
)
GIVEN = st.fixed_dictionaries({"env": VALUES, "hosts": st.lists(VALUES, max_size=3)})


def _decide(grants: Sequence[Grant], asked: Asked, values: Any) -> Decision:
    subjects, workflow, channel = asked
    return decide(grants, subjects, workflow, channel, values)


@given(grants_of(st.just(Effect.DENY)), GIVEN, ASKED)
def test_without_an_allow_nothing_is_allowed(grants: list[Grant], given_: dict[str, Any], asked: Asked) -> None:
    for values in (given_, None):
        assert _decide(grants, asked, values).verdict is Verdict.DENY


@given(ANY, GIVEN, ASKED)
def test_an_allow_needs_a_rule_for_this_person_workflow_and_channel(
    grants: list[Grant], given_: dict[str, Any], asked: Asked
) -> None:
    subjects, workflow, channel = asked
    if _decide(grants, asked, given_).allowed:
        assert any(
            g.effect is Effect.ALLOW
            and g.subject in subjects
            and g.target in workflow.targets
            and g.channel in (channel, EVERYWHERE)
            for g in grants
        )


@given(ANY, ANY, GIVEN, ASKED)
def test_more_denies_never_allow_more_and_more_allows_never_lift_a_deny(
    grants: list[Grant], more: list[Grant], given_: dict[str, Any], asked: Asked
) -> None:
    before = _decide(grants, asked, given_)
    denies = [grant for grant in more if grant.effect is Effect.DENY]
    allows = [grant for grant in more if grant.effect is Effect.ALLOW]
    if not before.allowed:
        assert not _decide([*grants, *denies], asked, given_).allowed
    if before.reason is Reason.DENIED_BY_RULE:
        assert not _decide([*allows, *grants], asked, given_).allowed


@given(ANY, GIVEN, st.randoms(use_true_random=False), ASKED)
def test_the_order_of_rules_does_not_matter(
    grants: list[Grant], given_: dict[str, Any], random: Any, asked: Asked
) -> None:
    shuffled = random.sample(grants, len(grants))
    for values in (given_, None):
        one, other = (_decide(each, asked, values) for each in (grants, shuffled))
        assert one.verdict is other.verdict


@given(ANY, GIVEN, ASKED)
def test_whatever_submit_would_allow_the_picker_offers(
    grants: list[Grant], given_: dict[str, Any], asked: Asked
) -> None:
    if _decide(grants, asked, given_).allowed:
        assert _decide(grants, asked, None).allowed


@given(grants_of(st.just(Effect.ALLOW)), grants_of(st.just(Effect.DENY), st.just({})), ASKED)
def test_the_picker_offers_nothing_that_submit_could_never_allow(
    allows: list[Grant], denies: list[Grant], asked: Asked
) -> None:
    grants = allows + denies
    if _decide(grants, asked, None).allowed:
        candidates = [{name: wanted[0] for name, wanted in grant.when.items()} for grant in allows]
        assert any(_decide(grants, asked, values).allowed for values in candidates)


@given(ANY, st.lists(VALUES, min_size=1, max_size=3), ASKED)
def test_a_list_is_allowed_only_if_each_of_its_items_alone_is(
    grants: list[Grant], hosts: list[Any], asked: Asked
) -> None:
    one_each = [{"env": "staging", "hosts": [host]} for host in hosts]
    if _decide(grants, asked, {"env": "staging", "hosts": hosts}).allowed:
        denied = [v for v in one_each if not _decide(grants, asked, v).allowed]
        assert denied == []
