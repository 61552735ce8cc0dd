from __future__ import annotations

import pytest

from bot.domain.people import Actor, Kind


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.MEMBER])
def test_only_full_members_may_act_by_default(kind: Kind) -> None:
    assert Actor("T01", "U01").may_act(frozenset())
    assert not Actor("T01", "U01", kind=kind).may_act(frozenset())


@pytest.mark.parametrize("kind", [Kind.GUEST, Kind.EXTERNAL, Kind.BOT])
def test_a_setting_lets_a_kind_in(kind: Kind) -> None:
    assert Actor("T01", "U01", kind=kind).may_act(frozenset({kind}))
    assert not Actor("T01", "U01", kind=kind).may_act(frozenset(Kind) - {kind})


def test_nothing_lets_deactivated_people_in() -> None:
    assert not Actor("T01", "U01", kind=Kind.DEACTIVATED).may_act(frozenset(Kind))
