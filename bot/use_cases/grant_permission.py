"""Grants that people give beside the file: added and taken back by admins, each recorded, each with an optional end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.domain.audit import Act, Entry
from bot.domain.errors import Refused
from bot.domain.policy import EVERYONE, Grant
from bot.use_cases.ports import Store, Writing


async def add_grant(
    grant: Grant, by_team: str, by_user: str, by_name: str, store: Store, request_id: str = ""
) -> Grant:
    """Give it. Raises Refused where it could never apply, and NotRecorded."""

    def work(tx: Writing) -> Grant:
        known = {target for entry in tx.entries() for target in entry.targets} | {EVERYONE}
        if grant.target not in known:
            raise Refused(f"No workflow in the catalogue is called “{grant.target}”.")
        if grant.until is not None and grant.until <= tx.now:
            raise Refused("The grant would have ended already. Name a moment to come.")
        given = [one for one in tx.all_grants() if not one.from_file and _same(one, grant)]
        if given:
            return given[0]  # pressed twice: two rows would survive one taking back
        added = replace(grant, id=tx.add_grant(grant))
        tx.record(_entry(Act.GRANT_ADDED, added, by_team, by_user, by_name, request_id))
        return added

    return await store.write(work)


async def remove_grant(
    grant_id: int, by_team: str, by_user: str, by_name: str, store: Store, request_id: str = ""
) -> Grant:
    """Take it back. Raises Refused where people gave none with that id, and NotRecorded."""

    def work(tx: Writing) -> Grant:
        removed = tx.remove_grant(grant_id)
        if removed is None:
            raise Refused(f"There is no grant {grant_id} given by people. Those of the policy file are changed there.")
        tx.record(_entry(Act.GRANT_REMOVED, removed, by_team, by_user, by_name, request_id))
        return removed

    return await store.write(work)


def _same(one: Grant, other: Grant) -> bool:
    return replace(one, id=None, words="") == replace(other, id=None, words="")


def _entry(act: Act, grant: Grant, team: str, user: str, name: str, request_id: str) -> Entry:
    facts: dict[str, Any] = {
        "grant": grant.id,
        "effect": grant.effect.value,
        "subject": grant.subject,
        "target": grant.target,
        "in": grant.channel,
        "when": {key: list(values) for key, values in grant.when.items()},
        "until": grant.until.isoformat() if grant.until else None,
    }
    return Entry(act, team_id=team, user_id=user, user_name=name, request_id=request_id, facts=facts)
