"""What this person may run here: the offers behind the picker, the list and the searchable select."""

from __future__ import annotations

from bot.domain.catalogue import CatalogueEntry
from bot.domain.people import Actor, Kind
from bot.domain.policy import Decision, Reason, Verdict, decide
from bot.use_cases.ports import Reading, Store

CANDIDATES = 500  # how many granted workflows are looked at for one list; a longer catalogue is searched


async def offers(
    actor: Actor,
    subjects: frozenset[str],
    channel_id: str,
    store: Store,
    admitted: frozenset[Kind],
    search: str = "",
) -> list[CatalogueEntry]:
    """The workflows that the person may run in the channel, by title. Empty for people who may not act at all."""
    if not actor.may_act(admitted):
        return []

    async def question(tx: Reading) -> list[CatalogueEntry]:
        grants = await tx.grants(subjects)
        candidates = await tx.entries_granted(subjects, search.strip(), CANDIDATES)
        return [entry for entry in candidates if decide(grants, subjects, entry, channel_id, None).allowed]

    return await store.read(question)


async def permission(
    actor: Actor, subjects: frozenset[str], channel_id: str, name: str, store: Store, admitted: frozenset[Kind]
) -> tuple[CatalogueEntry | None, Decision]:
    """One workflow and whether the person may run it here with some values; its form may then be shown."""
    if not actor.may_act(admitted):
        return None, Decision(Verdict.DENY, Reason.NOT_A_MEMBER)

    async def question(tx: Reading) -> tuple[CatalogueEntry | None, Decision]:
        entry = await tx.entry(name)
        if entry is None:
            return None, Decision(Verdict.DENY, Reason.NOT_IN_CATALOGUE)
        return entry, decide(await tx.grants(subjects, entry.targets), subjects, entry, channel_id, None)

    return await store.read(question)
