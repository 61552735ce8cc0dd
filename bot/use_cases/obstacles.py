"""What keeps a permitted run from starting now: a freeze, a lock, or a limit. All are read in the transaction that would
start it, so replicas agree."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.domain.catalogue import CatalogueEntry
from bot.domain.durations import in_words
from bot.domain.policy import Decision, Reason, Verdict, frozen
from bot.use_cases.ports import Reading


def obstacle(
    tx: Reading,
    entry: CatalogueEntry,
    values: Mapping[str, Any] | None,
    user_id: str,
    now: datetime,
    without: str = "",
) -> Decision | None:
    """The first thing in the way, as a decision that says what and until when. `values` None: not known yet.

    `without` is the id of the run that it is about, where that is counted already as one that waits.
    """
    if entry.unfit:
        return _deny(Reason.UNFIT, entry.unfit, None)
    freeze = frozen(tx.freezes(), entry, now)
    if freeze is not None:
        return _deny(Reason.FROZEN, freeze.reason, freeze.ends)
    for lock in tx.locks(entry.name):
        if lock.holds(values):
            return _deny(Reason.LOCKED, f"“{lock.reason}”, says {lock.owner_name or lock.owner_id}", lock.until)
    key = entry.lock_key(values) if values is not None else None
    if key is not None and (holder := tx.run_with_lock(key)):
        same = ", ".join(entry.lock_on)
        return _deny(Reason.LOCKED, f"run {holder} with the same {same} is not over", None)
    return _limit(tx, entry, user_id, now, without)


def _limit(tx: Reading, entry: CatalogueEntry, user_id: str, now: datetime, without: str) -> Decision | None:
    limits = entry.limits
    if limits.at_once is not None and (running := tx.open_runs(entry.name)) >= limits.at_once:
        return _deny(Reason.AT_ONCE, f"{running} of at most {limits.at_once} are under way", None)
    if limits.cool_down is not None:
        last = tx.last_start(entry.name)
        if last is not None and now < last + limits.cool_down:
            return _deny(Reason.COOL_DOWN, f"{in_words(limits.cool_down)} between runs", last + limits.cool_down)
    if limits.per_person is not None:
        most, within = limits.per_person
        mine = tx.starts_by(entry.name, user_id, now - within, without)
        if len(mine) >= most:
            return _deny(Reason.PER_PERSON, f"{most} within {in_words(within)}", mine[-most] + within)
    return None


def _deny(reason: Reason, words: str, free_at: datetime | None) -> Decision:
    return Decision(Verdict.DENY, reason, words=words, free_at=free_at)
