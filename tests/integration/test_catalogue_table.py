from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings

from bot.domain.catalogue import CatalogueEntry
from bot.domain.policy import Effect, Freeze, Grant, Policy
from bot.storage.catalogue import input_json
from bot.storage.store import SqlStore
from tests.made_up import entries, entry

ALICE = {"U01ALICE", "*"}


async def apply(store: SqlStore, workflows: list[CatalogueEntry], grants: list[Grant]) -> int:
    return await store.write(
        lambda tx: tx.replace_policy(
            Policy(tuple(workflows), tuple(grants)), digest="d" * 64, source="version: 1", applied_by="me"
        )
    )


async def found(store: SqlStore, search: str, limit: int = 100) -> list[str]:
    return [e.name for e in await store.read(lambda tx: tx.entries_granted(ALICE, search, limit))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(made_up=entries())
async def test_a_workflow_comes_back_as_it_was_applied(store: SqlStore, made_up: CatalogueEntry) -> None:
    version = await apply(store, [made_up], [])
    expected = replace(made_up, policy_version=version)
    stored = await store.read(lambda tx: tx.entry(made_up.name))
    assert stored == expected
    assert [input_json(field) for field in stored.inputs] == [input_json(field) for field in made_up.inputs]
    assert await store.read(lambda tx: tx.entries()) == [expected]


async def test_grants_come_back_as_they_were_applied(store: SqlStore) -> None:
    grants = [
        Grant(Effect.ALLOW, "U01ALICE", "tag:ops", "C01OPS", {"env": ("staging", True, 1, None)}, 1),
        Grant(Effect.DENY, "*", "*", "*", {}, 2),
        Grant(Effect.ALLOW, "U02BOB", "restart-service", "*", {}, 3),
    ]
    await apply(store, [entry()], grants)
    assert await store.read(lambda tx: tx.grants(ALICE)) == grants[:2]
    assert await store.read(lambda tx: tx.grants(ALICE, ["*"])) == grants[1:2]
    assert await store.read(lambda tx: tx.grants([])) == []


async def test_a_new_policy_replaces_the_old_one_whole(store: SqlStore) -> None:
    assert await store.read(lambda tx: tx.policy_version()) == 0
    assert await apply(store, [entry(name="old")], [Grant(Effect.ALLOW, "*", "old")]) == 1
    assert await apply(store, [entry(name="new")], [Grant(Effect.ALLOW, "*", "new")]) == 2
    assert await found(store, "") == ["new"]
    assert await store.read(lambda tx: tx.entry("old")) is None
    assert await store.read(lambda tx: tx.policy_version()) == 2


async def test_only_granted_workflows_are_found_by_name_tag_and_everything(store: SqlStore) -> None:
    workflows = [entry(name=name, title=name, tags=(tag,)) for name, tag in (("a", "x"), ("b", "y"), ("c", "z"))]
    grants = [
        Grant(Effect.ALLOW, "U01ALICE", "a"),
        Grant(Effect.ALLOW, "U01ALICE", "tag:x"),
        Grant(Effect.ALLOW, "*", "tag:y"),
        Grant(Effect.ALLOW, "U02BOB", "*"),
        Grant(Effect.DENY, "U01ALICE", "c"),
    ]
    await apply(store, workflows, grants)
    assert await found(store, "") == ["a", "b"]


async def test_percent_and_underscore_are_letters_in_a_search(store: SqlStore) -> None:
    titles = {"a": "100% sure", "b": "100 sure", "c": "snake_case", "d": "snakeXcase", "e": r"back\slash", "f": "it's"}
    workflows = [entry(name=name, title=title) for name, title in titles.items()]
    await apply(store, workflows, [Grant(Effect.ALLOW, "*", "*")])
    searches: dict[str, list[str]] = {
        "0%": ["a"],
        "%": ["a"],
        "_": ["c"],
        "e_c": ["c"],
        "\\": ["e"],
        "k\\s": ["e"],
        "'": ["f"],
        "SNAKE": ["c", "d"],
        "/": [],
        "%%": [],
    }
    for search, names in searches.items():
        assert await found(store, search) == names, search


async def test_the_name_is_searched_too_and_the_list_is_sorted_by_title_and_cut(store: SqlStore) -> None:
    workflows = [entry(name=f"w{n}", title=title) for n, title in enumerate(["banana", "Apple", "cherry"])]
    await apply(store, workflows, [Grant(Effect.ALLOW, "*", "*")])
    assert await found(store, "") == ["w1", "w0", "w2"]
    assert await found(store, "W2") == ["w2"]
    assert await found(store, "", limit=2) == ["w1", "w0"]


async def test_the_longest_names_that_a_policy_may_have_fit(store: SqlStore) -> None:
    longest: Any = entry(name="n" * 80, datadog_id="i" * 100, title="t" * 150, description="d" * 2000, tags=("g" * 80,))
    await apply(store, [longest], [Grant(Effect.ALLOW, "U" + "X" * 20, "tag:" + "g" * 80, "C" + "X" * 20)])
    assert await store.read(lambda tx: tx.entry("n" * 80)) is not None
