"""Reads the audit trail whole, and insists that it is one chain: no gap, no fork, every hash over what is stored."""

from __future__ import annotations

import json
from typing import Any

from bot.domain.audit import GENESIS, Act, Entry, link
from bot.storage.store import SqlStore
from tests.made_up import facts

KEY = b"audit key"


def act(name: str) -> Entry:
    return Entry(
        Act.REQUESTED, team_id="T01", user_id="U01ALICE", workflow=name, facts=facts(Act.REQUESTED, inputs={"env": "a"})
    )


async def whole_chain(store: SqlStore) -> list[dict[str, Any]]:
    """The bodies of all records, in order."""
    records = await store.read(lambda tx: tx.records(0, 10_000))
    bodies, prev = [], GENESIS
    for seq, record in enumerate(records, start=1):
        body = json.loads(record.body)
        assert (record.seq, body["seq"], body["prev"]) == (seq, seq, prev)
        assert record.hash == link(record.body, KEY)
        prev = record.hash
        bodies.append(body)
    return bodies
