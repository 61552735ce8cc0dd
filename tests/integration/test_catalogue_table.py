from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from bot.domain.accounts import Account
from bot.domain.catalogue import CatalogueEntry, Listing
from bot.domain.policy import Effect, Freeze, Grant, Policy
from bot.storage.catalogue import input_json
from bot.storage.store import SqlStore
from tests.made_up import entries, entry, listing, string_input

ALICE = {"U01ALICE", "*"}


async def apply(store: SqlStore, workflows: list[CatalogueEntry], grants: list[Grant]) -> int:
    return await put(store, Policy(tuple(workflows), tuple(grants)))


async def put(store: SqlStore, policy: Policy) -> int:
    return await store.write(
        lambda tx: tx.replace_policy(policy, digest="d" * 64, source="version: 1", applied_by="me")
    )


def without_ids(grants: list[Grant]) -> list[Grant]:
    return [replace(grant, id=None) for grant in grants]


async def found(store: SqlStore, search: str, limit: int = 100) -> list[str]:
    return [e.name for e in await store.read(lambda tx: tx.listings_allowed(ALICE, "C01OPS", search, limit))]


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
        Grant(Effect.ALLOW, "U01ALICE", "tag:ops", "C01OPS", {"env": ("staging", True, 1, None)}, 1, "allow <alice>"),
        Grant(Effect.DENY, "*", "*", "*", {}, 2),
        Grant(Effect.ALLOW, "U02BOB", "restart-service", "*", {}, 3),
    ]
    await apply(store, [entry()], grants)
    assert without_ids(await store.read(lambda tx: tx.grants(ALICE))) == grants[:2]
    assert without_ids(await store.read(lambda tx: tx.grants(ALICE, ["*"]))) == grants[1:2]
    assert without_ids(await store.read(lambda tx: tx.all_grants())) == grants
    assert await store.read(lambda tx: tx.grants([])) == []


async def test_a_new_policy_leaves_the_grants_that_people_gave(store: SqlStore) -> None:
    given = Grant(Effect.ALLOW, "U02BOB", "*", words="given by Ada")
    await apply(store, [entry()], [Grant(Effect.ALLOW, "U01ALICE", "*", rule=1)])
    number = await store.write(lambda tx: tx.add_grant(given))
    await apply(store, [entry()], [Grant(Effect.ALLOW, "U03CARA", "*", rule=1)])
    grants = await store.read(lambda tx: tx.all_grants())
    assert {(grant.subject, grant.rule) for grant in grants} == {("U02BOB", 0), ("U03CARA", 1)}
    (of_the_file,) = (grant.id for grant in grants if grant.from_file)
    assert await store.write(lambda tx: tx.remove_grant(of_the_file)) is None
    assert await store.write(lambda tx: tx.remove_grant(number)) == replace(given, id=number)
    assert await store.write(lambda tx: tx.remove_grant(number)) is None


async def test_a_grant_that_has_ended_lets_nobody_do_or_find_anything(store: SqlStore) -> None:
    await apply(store, [entry()], [])

    def give(tx: Any, seconds: float) -> None:
        tx.add_grant(Grant(Effect.ALLOW, "U01ALICE", "*", until=tx.now + timedelta(seconds=seconds)))

    await store.write(lambda tx: give(tx, -1))
    assert await store.read(lambda tx: (tx.grants(ALICE), tx.all_grants())) == ([], [])
    assert await found(store, "") == []
    await store.write(lambda tx: give(tx, 3600))
    assert len(await store.read(lambda tx: tx.grants(ALICE))) == 1
    assert await found(store, "") == ["restart-service"]


async def test_freezes_and_accounts_come_back_and_are_replaced(store: SqlStore) -> None:
    begins = datetime.now(UTC).replace(microsecond=0)
    freezes = (
        Freeze(("*", "tag:ops"), begins, begins + timedelta(hours=1), "“Black Friday”"),
        Freeze(("other",), begins - timedelta(hours=2), begins - timedelta(hours=1), "it is over"),
    )
    accounts = (
        Account("eu", "datadoghq.eu", "EU_API", "EU_APP", ""),
        Account("us", "datadoghq.com", "", "", "US_TOKEN"),
    )
    await put(store, Policy(freezes=freezes, accounts=accounts))
    assert await store.read(lambda tx: (tx.freezes(), tx.accounts())) == ([freezes[0]], list(accounts))
    await put(store, Policy())
    assert await store.read(lambda tx: (tx.freezes(), tx.accounts())) == ([], [])


async def test_the_groups_that_grants_name_are_known(store: SqlStore) -> None:
    subjects = ["S0SRE", "U01ALICE", "*", "S0DBA", "S0SRE"]
    await apply(store, [entry()], [Grant(Effect.ALLOW, subject, "*", rule=1) for subject in subjects])
    assert await store.read(lambda tx: tx.groups_named()) == {"S0SRE", "S0DBA"}
    await apply(store, [entry()], [Grant(Effect.ALLOW, "U01ALICE", "*", rule=1)])
    assert await store.read(lambda tx: tx.groups_named()) == set()


async def test_a_changed_definition_takes_the_place_of_the_one_it_was_made_from_alone(store: SqlStore) -> None:
    await apply(store, [entry(definition_hash="h1")], [])
    changed = entry(definition_hash="h2", unfit="it is not published any more", policy_version=1)
    assert not await store.write(lambda tx: tx.replace_entry(changed, "h0"))
    assert await store.write(lambda tx: tx.replace_entry(changed, "h1"))
    assert not await store.write(lambda tx: tx.replace_entry(changed, "h1"))
    assert await store.read(lambda tx: tx.entry("restart-service")) == changed


async def test_a_changed_definition_does_not_undo_a_policy_that_was_applied_meanwhile(store: SqlStore) -> None:
    await apply(store, [entry(definition_hash="h1", title="Old title")], [])
    read = await store.read(lambda tx: tx.entry("restart-service"))
    await apply(store, [entry(definition_hash="h1", title="New title")], [])
    assert not await store.write(lambda tx: tx.replace_entry(replace(read, definition_hash="h2"), "h1"))
    assert (await store.read(lambda tx: tx.entry("restart-service"))).title == "New title"


async def test_a_new_policy_replaces_the_old_one_whole(store: SqlStore) -> None:
    assert await store.read(lambda tx: tx.policy_version()) == 0
    assert await apply(store, [entry(name="old")], [Grant(Effect.ALLOW, "*", "old", rule=1)]) == 1
    assert await apply(store, [entry(name="new")], [Grant(Effect.ALLOW, "*", "new", rule=1)]) == 2
    assert await found(store, "") == ["new"]
    assert [grant.target for grant in await store.read(lambda tx: tx.all_grants())] == ["new"]
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


async def test_a_search_minds_no_case_in_any_language(store: SqlStore) -> None:
    titles = {"a": "Ärger abstellen", "b": "СБРОС кэша", "c": "Straße sperren"}
    await apply(
        store, [entry(name=name, title=title) for name, title in titles.items()], [Grant(Effect.ALLOW, "*", "*")]
    )
    for search, names in {"ÄRGER": ["a"], "ärger": ["a"], "сброс": ["b"], "STRASSE": ["c"], "arger": []}.items():
        assert await found(store, search) == names, search


@pytest.mark.parametrize("targets", [["*"], ["tag:ops", "tag:dba"], ["w0", "w1", "w2", "w3", "w4", "tag:ops"]])
async def test_page_after_page_shows_each_workflow_once_in_the_same_order(store: SqlStore, targets: list[str]) -> None:
    titles = ["Same", "same", "Éclair", "SAME", "zebra"]
    workflows = [entry(name=f"w{n}", title=title, tags=("ops", "dba")) for n, title in enumerate(titles)]
    await apply(store, workflows, [Grant(Effect.ALLOW, "*", target) for target in targets])
    whole = await found(store, "")
    assert sorted(whole) == ["w0", "w1", "w2", "w3", "w4"]

    async def after(last: Listing | None) -> list[Listing]:
        return await store.read(lambda tx: tx.listings_allowed(ALICE, "C01OPS", "", 2, last))

    pages = await after(None)
    while page := await after(pages[-1]):
        pages += page
    assert [one.name for one in pages] == whole


async def test_a_list_has_what_it_shows_and_inputs_are_read_apart(store: SqlStore) -> None:
    one = entry(string_input(), title="Restart", description="Restarts it", account="eu", tags=("ops", "web"))
    await apply(store, [one, entry(name="other", title="Another")], [])
    assert await store.read(lambda tx: tx.listings("", 10)) == [
        listing(entry(name="other", title="Another")),
        listing(one),
    ]
    assert await store.read(lambda tx: tx.listings("RESTART", 10)) == [listing(one)]
    assert await store.read(lambda tx: tx.inputs_of([one.name, "gone"])) == {one.name: one.inputs}
    assert await store.read(lambda tx: tx.inputs_of([])) == {}


async def test_the_longest_names_that_a_policy_may_have_fit(store: SqlStore) -> None:
    longest: Any = entry(name="n" * 80, datadog_id="i" * 100, title="t" * 150, description="d" * 2000, tags=("g" * 80,))
    await apply(store, [longest], [Grant(Effect.ALLOW, "U" + "X" * 20, "tag:" + "g" * 80, "C" + "X" * 20)])
    assert await store.read(lambda tx: tx.entry("n" * 80)) is not None
