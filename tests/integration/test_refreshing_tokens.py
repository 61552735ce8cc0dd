"""A refresh token is good once: one replica uses it, and what it brings is kept unless something newer is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.errors import SlackUnavailable
from bot.domain.installations import Installation
from bot.storage.sealing import FernetSealer
from bot.use_cases import refresh_token as refreshing
from bot.use_cases.refresh_token import TOKEN, Tokens, refresh_token
from tests.integration.conftest import OpenStore
from tests.made_up import ACME

SEALER = FernetSealer(["a-key"])


class Slack:
    """Gives new tokens for the newest refresh token alone, and waits where it is told to."""

    def __init__(self) -> None:
        self.refresh_token = "refresh-1"
        self.asked: list[str] = []
        self.was_asked, self.wait = asyncio.Event(), asyncio.Event()
        self.wait.set()

    async def __call__(self, given: str) -> Tokens:
        self.asked.append(given)
        self.was_asked.set()
        if given != self.refresh_token:
            raise SlackUnavailable("Slack refuses (invalid_refresh_token).")
        self.refresh_token = f"refresh-{len(self.asked) + 1}"
        tokens = Tokens(f"token-{len(self.asked) + 1}", self.refresh_token, timedelta(hours=12))
        await self.wait.wait()
        return tokens


async def installed(store: Any) -> Installation:
    first = replace(ACME, token=SEALER.seal({TOKEN: "token-1"}), refresh_token=SEALER.seal({TOKEN: "refresh-1"}))

    def work(tx: Any) -> Installation:
        kept: Installation = tx.put_installation(replace(first, expires_at=tx.now + timedelta(hours=1)))
        return kept

    found: Installation = await store.write(work)
    return found


async def token_in(store: Any) -> str:
    found = await store.read(lambda tx: tx.installation(ACME.id))
    return str(SEALER.unseal(found.token)[TOKEN])


async def test_of_two_replicas_at_the_same_moment_one_exchanges(database_url: str, open_store: OpenStore) -> None:
    stores = [open_store(database_url), open_store(database_url)]
    known, slack = await installed(stores[0]), Slack()
    done = await asyncio.gather(*(refresh_token(known, slack, SEALER, store) for store in stores * 5))
    assert sum(done) == 1
    assert slack.asked == ["refresh-1"]
    assert await token_in(stores[1]) == "token-2"


async def test_whoever_comes_after_a_newer_one_keeps_nothing(
    database_url: str, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [open_store(database_url), open_store(database_url)]
    known, slow, quick = await installed(stores[0]), Slack(), Slack()
    monkeypatch.setattr(refreshing, "CLAIM", timedelta(0))
    slow.wait.clear()
    late = asyncio.create_task(refresh_token(known, slow, SEALER, stores[0]))
    await slow.was_asked.wait()
    quick.refresh_token = "refresh-1"
    assert await refresh_token(known, quick, SEALER, stores[1])
    slow.wait.set()
    assert not await late
    assert await token_in(stores[0]) == "token-2"


async def test_what_slack_gave_is_kept_where_others_have_tried_in_vain_meanwhile(
    database_url: str, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [open_store(database_url), open_store(database_url)]
    known, slack = await installed(stores[0]), Slack()
    monkeypatch.setattr(refreshing, "CLAIM", timedelta(0))
    slack.wait.clear()
    late = asyncio.create_task(refresh_token(known, slack, SEALER, stores[0]))
    await slack.was_asked.wait()
    assert not await refresh_token(known, slack, SEALER, stores[1])
    slack.wait.set()
    assert await late
    assert await token_in(stores[1]) == "token-2"
    found = await stores[1].read(lambda tx: tx.installation(ACME.id))
    assert found.trouble == ""


async def test_what_was_installed_or_removed_meanwhile_is_not_written_over(
    database_url: str, open_store: OpenStore
) -> None:
    store = open_store(database_url)
    known, slack = await installed(store), Slack()
    slack.wait.clear()
    late = asyncio.create_task(refresh_token(known, slack, SEALER, store))
    await slack.was_asked.wait()
    await store.write(lambda tx: tx.remove_installation(ACME.id, "uninstalled in Slack"))
    slack.wait.set()
    assert not await late
    found = await store.read(lambda tx: tx.installation(ACME.id))
    assert (found.token, found.refresh_token) == ("", "")


async def test_what_slack_refuses_is_told_and_left_as_it_was(database_url: str, open_store: OpenStore) -> None:
    store = open_store(database_url)
    known, slack = await installed(store), Slack()
    slack.refresh_token = "another"
    assert not await refresh_token(known, slack, SEALER, store)
    found = await store.read(lambda tx: tx.installation(ACME.id))
    assert found.trouble == "its token can't be refreshed: Slack refuses (invalid_refresh_token)."
    assert await token_in(store) == "token-1"
    assert not await refresh_token(found, slack, SEALER, store)  # the claim holds others back for a while
    assert len(slack.asked) == 1
