from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot.storage.store import SqlStore
from bot.storage.tables import messages
from bot.use_cases.ports import END, LIVE, Message
from tests.integration.chain import act
from tests.integration.conftest import OpenStore
from tests.made_up import run

LEASE = timedelta(minutes=1)
RUN = run()


async def announce(store: SqlStore, seconds: float = -1) -> None:
    await store.write(lambda tx: tx.announce_run(RUN, tx.now + timedelta(seconds=seconds)))


async def claim(store: SqlStore, lease: timedelta = LEASE) -> list[Message]:
    return await store.write(lambda tx: tx.claim_messages(tx.now + lease, 10))


async def told(store: SqlStore, message: Message, ts: str = "1.1", *, whole: bool = True) -> bool:
    return await store.write(lambda tx: tx.message_told(message, "C01OPS", ts, whole=whole))


async def stored(store: SqlStore) -> Message:
    (found,) = await store.read(lambda tx: tx.messages(RUN.id))
    assert isinstance(found, Message)
    return found


async def test_a_message_is_due_when_it_was_announced_and_not_before(store: SqlStore) -> None:
    await announce(store, 3600)
    assert not await store.read(lambda tx: tx.messages_due(audit_channel=False))
    assert await claim(store) == []
    await announce(store)
    assert await store.read(lambda tx: tx.messages_due(audit_channel=False))
    (message,) = await claim(store)
    assert (message.run_id, message.kind, message.channel_id, message.ts) == (RUN.id, LIVE, "C01OPS", None)


async def test_a_message_that_was_told_is_done_and_keeps_its_place(store: SqlStore) -> None:
    await announce(store)
    (message,) = await claim(store)
    await told(store, message)
    after = await stored(store)
    assert (after.posted_in, after.ts, after.due, after.attempts, after.error) == ("C01OPS", "1.1", None, 0, None)
    assert after.held_until is None
    assert await claim(store) == []


async def test_a_change_while_posting_makes_the_message_due_again(store: SqlStore) -> None:
    await announce(store)
    (message,) = await claim(store)
    await announce(store)
    await told(store, message)
    (again,) = await claim(store)
    assert (again.ts, again.revision) == ("1.1", message.revision + 1)


async def test_several_changes_before_posting_are_one_message(store: SqlStore) -> None:
    for _ in range(3):
        await announce(store)
    (message,) = await claim(store)
    await told(store, message)
    assert await claim(store) == []


async def test_a_message_is_claimed_once_for_the_length_of_the_lease(database_url: str, open_store: OpenStore) -> None:
    stores = [open_store(database_url), open_store(database_url)]
    await announce(stores[0])
    claimed = await asyncio.gather(*(claim(store) for store in stores * 2))
    assert sum(len(each) for each in claimed) == 1


async def test_a_change_while_posting_is_told_by_whoever_is_posting_and_not_beside_them(store: SqlStore) -> None:
    await announce(store)
    assert len(await claim(store)) == 1
    await announce(store)
    assert await claim(store) == []
    assert not await store.read(lambda tx: tx.messages_due(audit_channel=False))


async def test_a_message_that_was_told_in_part_is_due_again_at_once(store: SqlStore) -> None:
    await announce(store)
    (message,) = await claim(store)
    assert await told(store, message, whole=False)
    (again,) = await claim(store)
    assert again.ts == "1.1"
    assert await told(store, again)
    assert await claim(store) == []


async def test_whoever_lost_the_lease_cannot_settle_the_message(store: SqlStore) -> None:
    await announce(store)
    (late,) = await claim(store, lease=-LEASE)
    (current,) = await claim(store)
    assert not await told(store, late, "late")
    assert (await stored(store)).ts is None
    assert await told(store, current, "current")
    assert (await stored(store)).ts == "current"


async def test_a_message_that_was_told_without_the_lease_is_told_once_more(store: SqlStore) -> None:
    await announce(store)
    (late,) = await claim(store, lease=-LEASE)
    (current,) = await claim(store)
    assert await told(store, current, "current")
    assert not await told(store, late, "late")
    await store.write(lambda tx: tx.message_stale(late))
    (again,) = await claim(store)
    assert (again.ts, again.revision) == ("current", current.revision + 1)


async def test_the_live_message_and_the_word_at_the_end_are_two_and_each_is_told_for_itself(store: SqlStore) -> None:
    await announce(store)
    await store.write(lambda tx: tx.announce_end(RUN))
    messages = await claim(store)
    assert sorted(message.kind for message in messages) == [END, LIVE]
    (end,) = (message for message in messages if message.kind == END)
    assert await told(store, end, "2.2")
    live, ended = await store.read(lambda tx: tx.messages(RUN.id))
    assert (live.kind, live.ts, live.due is None) == (LIVE, None, False)
    assert (ended.kind, ended.ts, ended.due) == (END, "2.2", None)


async def test_a_later_announcement_does_not_put_off_an_earlier_one(store: SqlStore) -> None:
    await announce(store)
    await announce(store, 3600)
    assert len(await claim(store)) == 1


async def test_a_message_that_could_not_be_told_is_tried_later_and_says_why(store: SqlStore) -> None:
    await announce(store)
    (message,) = await claim(store)
    await store.write(lambda tx: tx.message_postponed(message, "ratelimited", tx.now + timedelta(hours=1)))
    after = await stored(store)
    assert (after.attempts, after.error) == (1, "ratelimited")
    assert await claim(store) == []
    await announce(store)
    assert [each.attempts for each in await claim(store)] == [0]


async def test_a_message_that_slack_limits_waits_for_the_time_that_it_names_whatever_else_changes(
    store: SqlStore,
) -> None:
    await announce(store)
    (message,) = await claim(store)
    later = timedelta(seconds=30)
    await store.write(lambda tx: tx.message_postponed(message, "ratelimited", tx.now + later, hold=True))
    await announce(store)
    assert await claim(store) == []
    assert not await store.read(lambda tx: tx.messages_due(audit_channel=False))
    held_until = (await stored(store)).held_until
    assert held_until is not None
    await store.write(lambda tx: tx.connection.execute(sa.update(messages).values(held_until=tx.now)) and None)
    assert len(await claim(store)) == 1


async def test_a_message_that_is_given_up_keeps_its_error(store: SqlStore) -> None:
    await announce(store)
    (message,) = await claim(store)
    await store.write(lambda tx: tx.message_postponed(message, "channel_not_found", None))
    after = await stored(store)
    assert (after.due, after.error) == (None, "channel_not_found")


# -------------------------------------------------------------------------------------------------- the audit channel


async def record(store: SqlStore, name: str = "one") -> None:
    def work(tx: Any) -> None:
        tx.record(act(name))

    await store.write(work)


async def claim_audit(store: SqlStore) -> tuple[int, int] | None:
    return await store.write(lambda tx: tx.claim_audit_posts(tx.now + LEASE))


async def test_the_audit_channel_is_behind_as_long_as_a_record_was_not_told(store: SqlStore) -> None:
    assert not await store.read(lambda tx: tx.messages_due(audit_channel=True))
    await record(store)
    assert await store.read(lambda tx: tx.messages_due(audit_channel=True))
    assert not await store.read(lambda tx: tx.messages_due(audit_channel=False))
    claimed = await claim_audit(store)
    assert claimed is not None
    assert claimed[0] == 0
    await store.write(lambda tx: tx.audit_posts_told(claimed[1], 1, None, None))
    assert not await store.read(lambda tx: tx.messages_due(audit_channel=True))
    assert await claim_audit(store) is None


async def test_one_replica_tells_the_audit_channel_at_a_time(database_url: str, open_store: OpenStore) -> None:
    stores = [open_store(database_url), open_store(database_url)]
    await record(stores[0])
    claims = await asyncio.gather(*(claim_audit(store) for store in stores * 2))
    assert sum(each is not None for each in claims) == 1


async def test_a_teller_whose_hold_ran_out_changes_nothing_any_more(store: SqlStore) -> None:
    await record(store)
    late = await store.write(lambda tx: tx.claim_audit_posts(tx.now - LEASE))
    current = await claim_audit(store)
    assert late is not None
    assert current is not None
    await store.write(lambda tx: tx.audit_posts_told(late[1], 1, None, None))
    await store.write(lambda tx: tx.audit_posts_told(current[1], 0, None, "channel_not_found"))
    again = await claim_audit(store)
    assert again is not None
    assert again[0] == 0
