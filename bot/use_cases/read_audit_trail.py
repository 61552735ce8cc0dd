"""Read the audit trail: search it, and export it. That somebody did is itself recorded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from bot.domain.audit import Act, Entry, Record
from bot.domain.people import Actor
from bot.domain.trail_filter import TrailFilter
from bot.use_cases.ports import Store, TrailEnd, Writing

PAGE = 1000  # records read at a time, so that neither a search nor an export needs more memory than that


async def search(wanted: TrailFilter, limit: int, store: Store) -> list[Record]:
    """The latest records that fit, oldest first. Raises NotRecorded where they can't be read."""
    found: list[Record] = []
    before: int | None = None
    while page := await store.read(lambda tx, before=before: tx.search_records(wanted, before, PAGE)):  # type: ignore[misc]  # mypy can't type a lambda's default
        found += [record for record in page if wanted.fits(body_of_record(record))]
        if len(found) >= limit or len(page) < PAGE:
            break
        before = page[-1].seq
    return found[:limit][::-1]


async def search_as(
    actor: Actor, channel_id: str, request_id: str, wanted: TrailFilter, limit: int, store: Store
) -> list[Record]:
    """Search for somebody in Slack, and record that they looked, and for what. Raises NotRecorded: then nothing is shown."""
    found = await search(wanted, limit, store)
    facts = {"channel": channel_id, "filters": wanted.told(), "count": len(found)}
    await _note(
        Entry(Act.TRAIL_READ, actor.team_id, actor.user_id, actor.name, request_id=request_id, facts=facts), store
    )
    return found


async def begin_export(after: int, form: str, file: str | None, by: str, store: Store) -> TrailEnd:
    """Record that somebody exports the trail from behind `after` on, before anything leaves. Returns what there was then.

    Raises NotRecorded: then nothing may leave.
    """
    end = await store.read(lambda tx: tx.trail_end())
    facts = {"first": max(after + 1, end.first), "last": end.last, "format": form, **({"file": file} if file else {})}
    await _note(Entry(Act.TRAIL_EXPORTED, "", "", by, facts=facts), store)
    return end


async def export(after: int, store: Store) -> AsyncIterator[Record]:
    """Every record behind `after`, in order. Raises NotRecorded where they can't be read."""
    while page := await store.read(lambda tx, seq=after: tx.records(seq, PAGE)):  # type: ignore[misc]  # as above
        for record in page:
            yield record
        after = page[-1].seq


def body_of_record(record: Record) -> Mapping[str, Any]:
    """The record as JSON; empty where its bytes were tampered with so that they are none."""
    try:
        body = json.loads(record.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


async def _note(entry: Entry, store: Store) -> None:
    def work(tx: Writing) -> None:
        tx.record(entry)

    await store.write(work)
