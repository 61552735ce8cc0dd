"""The picker's list from a large catalogue: complete where it is short, and never hidden by what isn't for here."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.approvals import Quorum, Requirement
from bot.domain.people import Actor
from bot.domain.policy import EVERYONE, Effect, Grant, Policy, feasible
from bot.storage.store import SqlStore
from bot.use_cases import choose_workflow
from bot.use_cases.choose_workflow import ENOUGH, offers
from tests.made_up import entry, string_input, values

ALICE = Actor("T01", "U01ALICE")
ENV = string_input("env", options=values("staging", "production"))
EVERY = tuple(entry(ENV, name=f"w{number:03}", title=f"W {number:03}", tags=()) for number in range(300))


async def _offered(store: SqlStore, *grants: Grant, search: str = "") -> list[str]:
    policy = Policy(EVERY, grants)
    await store.write(lambda tx: tx.replace_policy(policy, digest="", source="", applied_by="test"))
    found = await offers(ALICE, frozenset({ALICE.user_id}), "C01OPS", store, frozenset(), search)
    return [one.name for one in found]


def _allow(target: str, **more: object) -> Grant:
    return Grant(Effect.ALLOW, ALICE.user_id, target, rule=1, **more)  # type: ignore[arg-type]  # by keyword in each test


async def test_what_is_for_another_channel_or_denied_hides_nothing_behind_it(store: SqlStore) -> None:
    elsewhere = [_allow(one.name, channel="C02GENERAL") for one in EVERY[:120]]
    denied = [Grant(Effect.DENY, ALICE.user_id, one.name, rule=2) for one in EVERY[120:280]]
    here = [_allow(one.name, channel="C01OPS") for one in EVERY[120:]]
    assert await _offered(store, *elsewhere, *denied, *here) == [one.name for one in EVERY[280:]]


async def test_of_a_long_list_the_first_are_enough_and_the_rest_is_searched(store: SqlStore) -> None:
    assert await _offered(store, _allow("*")) == [one.name for one in EVERY[:ENOUGH]]
    assert await _offered(store, _allow("*"), search="299") == ["w299"]


# Each with its own rows, tags and inputs, so that what the database leaves out by itself can be told from what rules forbid.
FEW = tuple(
    entry(*((ENV,) if number % 2 else ()), name=f"w{number}", title=f"W {9 - number}", tags=tags)
    for number, tags in enumerate([("ops",), ("ops", "web"), ("web",), (), ("ops",)])
)
APPROVAL = Requirement((Quorum("managers", ("U02BOB",), 1),), timedelta(hours=1), timedelta(hours=1))
GRANTS = st.lists(
    st.builds(
        lambda effect, approval, **rest: Grant(effect, **rest, approval=approval if effect is Effect.ALLOW else None),
        effect=st.sampled_from(Effect),
        approval=st.sampled_from([None, APPROVAL]),
        subject=st.sampled_from([ALICE.user_id, "S01SRE", EVERYONE, "U02BOB"]),
        target=st.sampled_from([*(one.name for one in FEW), "tag:ops", "tag:web", "*"]),
        channel=st.sampled_from(["C01OPS", "C02GENERAL", "*"]),
        when=st.sampled_from([{}, {"env": ("staging",)}, {"env": ("production",)}, {"no input": ("x",)}]),
        rule=st.integers(1, 9),
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(grants=GRANTS)
@pytest.mark.parametrize("page", [1, 3, ENOUGH])
async def test_the_list_is_what_some_submit_would_be_accepted_for(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, page: int, grants: list[Grant]
) -> None:
    monkeypatch.setattr(choose_workflow, "ENOUGH", page)
    subjects = frozenset({ALICE.user_id, "S01SRE", EVERYONE})
    policy = Policy(FEW, tuple(grants))
    await store.write(lambda tx: tx.replace_policy(policy, digest="", source="", applied_by="test"))
    found = await offers(ALICE, subjects, "C01OPS", store, frozenset())
    by_title = sorted(FEW, key=lambda one: one.title)
    expected = [one.name for one in by_title if feasible(grants, subjects, one, "C01OPS")]
    assert [one.name for one in found] == expected[:page]
