"""Have the head of the trail witnessed outside the database: signed, on a schedule, by one replica at a time.

Whoever cuts off the end of the trail, or restores an old backup, can't take back what a witness was told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from bot.domain.errors import NotRecorded, NotWitnessed
from bot.domain.findings import Point
from bot.use_cases import pace
from bot.use_cases.ports import HeadClaim, Store, Writing

Sign = Callable[[Point, str], str]  # a head and a moment; the line to be kept
Tell = Callable[[int, str], Awaitable[None]]  # its number and the line; raises NotWitnessed

log = logging.getLogger(__name__)


async def tell_heads(store: Store, sign: Sign, witnesses: Mapping[str, Tell], stopping: asyncio.Event) -> None:
    """Tell each witness of the head from time to time until `stopping` is set, and then of the last one."""
    while True:
        last = stopping.is_set()
        try:
            await _tell_due(store, sign, witnesses, early=last)
        except NotRecorded as error:
            log.error("the head of the audit trail could not be witnessed: %s", error.cause)
        if last:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pace.HEADS_RETRY)


async def _tell_due(store: Store, sign: Sign, witnesses: Mapping[str, Tell], *, early: bool) -> None:
    names = sorted(witnesses)
    if not await store.read(lambda tx: tx.heads_due(names, early=early)):
        return
    claim = await store.write(lambda tx: tx.claim_heads(names, tx.now + pace.LEASE, early=early))
    if claim.held:
        line = sign(claim.head, claim.at)
        await asyncio.gather(*(_tell(store, claim, name, witnesses[name], line) for name in claim.held))


async def _tell(store: Store, claim: HeadClaim, name: str, tell: Tell, line: str) -> None:
    error: str | None = None
    try:
        await tell(claim.head.seq, line)
    except NotWitnessed as failed:
        error = str(failed)
        log.error("the witness %s was not told of the audit trail's head %d: %s", name, claim.head.seq, error)

    def work(tx: Writing) -> None:
        wait = pace.HEADS if error is None else pace.HEADS_RETRY
        seq = claim.head.seq if error is None else None
        tx.head_told(name, claim.held[name], seq, tx.now + timedelta(seconds=wait), error)

    await store.write(work)
