"""Who is in which user group: remembered for a stated time, and nobody is let in where it can't be told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import SlackUnavailable
from bot.domain.people import Actor, Kind
from bot.domain.policy import EVERYONE
from bot.sandbox.slack import LocalSlack
from bot.slack.directory import AGE_LIMIT, SlackDirectory

ALICE = Actor("T01", "U01ALICE")
BOB = Actor("T01", "U02BOB")
METHOD = "usergroups.users.list"
Later = Callable[[float], None]


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    async with LocalSlack() as slack:
        slack.add_person("U01ALICE", "Alice")
        slack.add_person("U02BOB", "Bob")
        slack.add_group("S01SRE", ["U01ALICE"])
        slack.add_group("S02BANNED", ["U02BOB"])
        yield slack


@pytest.fixture
def known(slack: LocalSlack) -> SlackDirectory:
    return SlackDirectory(AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[]))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    clock = {"now": 1000.0}
    monkeypatch.setattr("bot.slack.directory.time", SimpleNamespace(monotonic=lambda: clock["now"]))

    def go(seconds: float) -> None:
        clock["now"] += seconds

    return go


async def test_a_person_is_known_by_themselves_their_groups_and_everyone(known: SlackDirectory) -> None:
    groups = ["S01SRE", "S02BANNED"]
    assert await known.subjects(ALICE, groups) == {"U01ALICE", "S01SRE", EVERYONE}
    assert await known.subjects(BOB, groups) == {"U02BOB", "S02BANNED", EVERYONE}


async def test_members_are_asked_once_within_the_stated_age(
    known: SlackDirectory, slack: LocalSlack, later: Later
) -> None:
    for actor in (ALICE, BOB, ALICE):
        await known.subjects(actor, ["S01SRE"])
    assert len(slack.calls_of(METHOD)) == 1
    slack.add_group("S01SRE", ["U02BOB"])
    later(AGE_LIMIT - 1)
    assert "S01SRE" in await known.subjects(ALICE, ["S01SRE"])
    later(2)
    assert "S01SRE" not in await known.subjects(ALICE, ["S01SRE"])
    assert "S01SRE" in await known.subjects(BOB, ["S01SRE"])
    assert len(slack.calls_of(METHOD)) == 2


async def test_many_who_wait_for_the_same_answer_ask_once(known: SlackDirectory, slack: LocalSlack) -> None:
    slack.faults.delay = 0.2
    found = await asyncio.gather(*(known.subjects(actor, ["S01SRE", "S02BANNED"]) for actor in [ALICE, BOB] * 20))
    assert found == [{"U01ALICE", "S01SRE", EVERYONE}, {"U02BOB", "S02BANNED", EVERYONE}] * 20
    assert len(slack.calls_of(METHOD)) == 2


async def test_an_event_or_a_wish_for_the_newest_asks_again(known: SlackDirectory, slack: LocalSlack) -> None:
    await known.subjects(ALICE, ["S01SRE"])
    slack.add_group("S01SRE", [])
    known.forget_group("S01SRE")
    assert "S01SRE" not in await known.subjects(ALICE, ["S01SRE"])
    slack.add_group("S01SRE", ["U01ALICE"])
    assert "S01SRE" not in await known.subjects(ALICE, ["S01SRE"])
    assert "S01SRE" in await known.subjects(ALICE, ["S01SRE"], fresh=True)


async def test_an_answer_that_an_event_has_overtaken_is_not_remembered(
    known: SlackDirectory, slack: LocalSlack
) -> None:
    await known.me()
    await known.actor("T01", "U02BOB")
    slack.faults.delay = 0.3
    asked = [
        asyncio.create_task(known.subjects(ALICE, ["S01SRE"])),
        asyncio.create_task(known.actor(slack.team_id, "U01ALICE")),
    ]
    await asyncio.sleep(0.1)  # both questions are under way
    known.forget_group("S01SRE")
    known.forget_person("U01ALICE")
    await asyncio.gather(*asked)
    slack.faults.delay = 0
    slack.add_group("S01SRE", [])
    slack.workspace.members["U01ALICE"].deleted = True

    assert "S01SRE" not in await known.subjects(ALICE, ["S01SRE"])
    assert (await known.actor(slack.team_id, "U01ALICE")).kind is Kind.DEACTIVATED
    before = len(slack.calls)
    await known.subjects(BOB, ["S01SRE"])
    await known.actor(slack.team_id, "U01ALICE")
    assert len(slack.calls) == before  # these answers are


async def test_of_two_questions_about_one_person_at_once_one_answer_is_remembered(
    known: SlackDirectory, slack: LocalSlack
) -> None:
    await known.me()
    slack.faults.delay = 0.1
    await asyncio.gather(*(known.actor(slack.team_id, "U01ALICE") for _ in range(2)))
    before = len(slack.calls)
    await known.actor(slack.team_id, "U01ALICE")
    assert len(slack.calls) == before


@pytest.mark.parametrize("error", ["internal_error", "ratelimited", "missing_scope", "fatal_error"])
async def test_where_slack_cannot_tell_nobody_is_let_in(known: SlackDirectory, slack: LocalSlack, error: str) -> None:
    slack.faults.fail(METHOD, error)
    # Left out, the group would free Bob from every rule that denies it.
    with pytest.raises(SlackUnavailable):
        await known.subjects(BOB, ["S01SRE", "S02BANNED"])


async def test_what_is_remembered_is_not_used_beyond_its_age(
    known: SlackDirectory, slack: LocalSlack, later: Later
) -> None:
    await known.subjects(ALICE, ["S01SRE"])
    slack.faults.fail(METHOD, "internal_error")
    assert "S01SRE" in await known.subjects(ALICE, ["S01SRE"])
    later(AGE_LIMIT + 1)
    with pytest.raises(SlackUnavailable):
        await known.subjects(ALICE, ["S01SRE"])


async def test_a_group_that_slack_no_longer_has_has_nobody_in_it(known: SlackDirectory) -> None:
    assert await known.subjects(ALICE, ["S09GONE"]) == {"U01ALICE", EVERYONE}
