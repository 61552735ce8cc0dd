"""Take and release locks: on a workflow, or on a workflow with certain input values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from bot.domain.audit import Act, Entry
from bot.domain.catalogue import CatalogueEntry
from bot.domain.locks import Lock
from bot.domain.people import Actor, Kind
from bot.domain.policy import Reason, may_all
from bot.use_cases.ports import Store, Writing

LONGEST = timedelta(days=7)


class LockAnswer(StrEnum):
    """What became of the wish."""

    TAKEN = "taken"
    TAKEN_BY_OTHER = "taken by another"
    RELEASED = "released"
    FORCED = "released by force"
    DENIED = "denied"
    NO_SUCH_WORKFLOW = "no such workflow"
    NO_SUCH_LOCK = "no such lock"


@dataclass(frozen=True, slots=True)
class Locking:
    """The answer, and the lock it is about; for a run's own lock, the run."""

    answer: LockAnswer
    lock: Lock | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class LockWish:
    """Who wants what locked, or unlocked."""

    actor: Actor
    subjects: frozenset[str]
    channel_id: str
    workflow: str
    when: Mapping[str, Any]
    admitted: frozenset[Kind]
    admins: Collection[str]
    request_id: str


async def lock(wish: LockWish, reason: str, lasts: timedelta, store: Store) -> Locking:
    """Allowed to admins and to those whom the rules let run it here with these values. Raises NotRecorded."""

    def work(tx: Writing) -> Locking:
        entry = tx.entry(wish.workflow)
        if entry is None:
            return _denied(tx, wish, Reason.NOT_IN_CATALOGUE, Locking(LockAnswer.NO_SUCH_WORKFLOW))
        if not _may(tx, wish, entry):
            return _denied(tx, wish)
        tx.hold_limits()
        renewed = False
        for held in _on_same(tx, wish):
            if held.owner_id != wish.actor.user_id:
                return _denied(tx, wish, Reason.LOCKED, Locking(LockAnswer.TAKEN_BY_OTHER, held))
            renewed = tx.remove_lock(held.id)  # one's own is renewed
        taken = Lock(
            wish.workflow, wish.when, wish.actor.user_id, wish.actor.name, reason, tx.now, tx.now + min(lasts, LONGEST)
        )
        tx.add_lock(taken)
        facts = {"reason": reason, "until": taken.until.isoformat(), "renewed": renewed}
        tx.record(_entry(wish, Act.LOCKED, when=dict(wish.when), **facts))
        return Locking(LockAnswer.TAKEN, taken)

    return await store.write(work)


async def unlock(wish: LockWish, store: Store) -> Locking:
    """Release the lock on exactly these values. Its owner may; admins may by force. Raises NotRecorded."""

    def work(tx: Writing) -> Locking:
        entry = tx.entry(wish.workflow)
        if entry is None:
            return _denied(tx, wish, Reason.NOT_IN_CATALOGUE, Locking(LockAnswer.NO_SUCH_WORKFLOW))
        found = next(iter(_on_same(tx, wish)), None)
        if found is None:
            key = entry.lock_key(entry.with_defaults(wish.when))
            holder = tx.run_with_lock(key) if key else None
            return Locking(LockAnswer.NO_SUCH_LOCK) if holder is None else _free_run(tx, wish, holder)
        own = found.owner_id == wish.actor.user_id and wish.actor.may_act(wish.admitted)
        if not own and wish.actor.user_id not in wish.admins:
            return _denied(tx, wish)
        if not tx.remove_lock(found.id):  # another replica has just done so
            return Locking(LockAnswer.NO_SUCH_LOCK)
        tx.record(_entry(wish, Act.UNLOCKED, owner=found.owner_id, forced=not own, when=dict(wish.when)))
        return Locking(LockAnswer.RELEASED if own else LockAnswer.FORCED, found)

    return await store.write(work)


def _free_run(tx: Writing, wish: LockWish, run_id: str) -> Locking:
    """A run holds the lock until it is over; an admin can free it, as after an outcome that nobody knows."""
    if wish.actor.user_id not in wish.admins:
        return _denied(tx, wish)
    tx.release_run_lock(run_id)
    tx.record(_entry(wish, Act.UNLOCKED, forced=True, held_by=run_id, when=dict(wish.when)))
    return Locking(LockAnswer.FORCED, run_id=run_id)


def _on_same(tx: Writing, wish: LockWish) -> list[Lock]:
    return [one for one in tx.locks(wish.workflow) if dict(one.when) == dict(wish.when)]


def _may(tx: Writing, wish: LockWish, entry: CatalogueEntry) -> bool:
    """Who may run everything that the lock would hold: nobody locks others out of what is not theirs to run."""
    if not wish.actor.may_act(wish.admitted):
        return False
    if wish.actor.user_id in wish.admins:
        return True
    return may_all(tx.grants(wish.subjects, entry.targets), wish.subjects, entry, wish.channel_id, wish.when)


def _denied(
    tx: Writing, wish: LockWish, reason: Reason = Reason.NO_RULE, answer: Locking = Locking(LockAnswer.DENIED)
) -> Locking:
    tx.record(_entry(wish, Act.LOCK_DENIED, when=dict(wish.when), reason=reason.value))
    return answer


def _entry(wish: LockWish, act: Act, **facts: Any) -> Entry:
    return Entry(
        act,
        team_id=wish.actor.team_id,
        user_id=wish.actor.user_id,
        user_name=wish.actor.name,
        workflow=wish.workflow,
        request_id=wish.request_id,
        facts={"channel": wish.channel_id, **facts},
    )
