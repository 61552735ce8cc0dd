"""Apply a policy: replace catalogue and grants in one transaction, and record who did it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.audit import Act, Entry
from bot.domain.catalogue import CatalogueEntry
from bot.domain.policy import Grant
from bot.use_cases.ports import Store, Writing


async def apply_policy(
    entries: Sequence[CatalogueEntry],
    grants: Sequence[Grant],
    *,
    digest: str,
    source: str,
    applied_by: str,
    store: Store,
) -> int:
    """The new policy's version. Raises NotRecorded: then the old policy stands."""

    async def work(tx: Writing) -> int:
        version = await tx.replace_policy(entries, grants, digest=digest, source=source, applied_by=applied_by)
        facts = {"policy": version, "digest": digest, "workflows": len(entries), "grants": len(grants)}
        tx.record(Entry(Act.POLICY_APPLIED, team_id="", user_id="", user_name=applied_by, facts=facts))
        return version

    return await store.write(work)
