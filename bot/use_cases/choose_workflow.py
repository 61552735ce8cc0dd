"""What this person may run here: the offers behind the picker, the list and the searchable select."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.audit import Act, Entry
from bot.domain.catalogue import CatalogueEntry, Listing
from bot.domain.facts import decided
from bot.domain.people import Actor, Kind
from bot.domain.policy import Decision, Grant, Reason, Verdict, approvals_possible, decide, feasible, narrowed
from bot.use_cases.obstacles import obstacle
from bot.use_cases.ports import Reading, Store

NAME = 100  # characters of a workflow's name; a press may be forged
ENOUGH = 101  # workflows in one list, one more than a select in Slack can hold; a longer catalogue is searched


async def offers(
    actor: Actor,
    subjects: frozenset[str],
    channel_id: str,
    store: Store,
    admitted: frozenset[Kind],
    search: str = "",
) -> list[Listing]:
    """The workflows that the person may run in the channel, by title, `ENOUGH` at the most. Empty for people who may not
    act at all."""
    if not actor.may_act(admitted):
        return []

    def question(tx: Reading) -> list[Listing]:
        found: list[Listing] = []
        page = tx.listings_allowed(subjects, channel_id, search.strip(), ENOUGH)
        while page:
            found += _feasible(tx, page, subjects, channel_id)
            if len(page) < ENOUGH or len(found) >= ENOUGH:
                break
            page = tx.listings_allowed(subjects, channel_id, search.strip(), ENOUGH, page[-1])
        return found[:ENOUGH]

    return await store.read(question)


def _feasible(tx: Reading, page: list[Listing], subjects: frozenset[str], channel_id: str) -> list[Listing]:
    """Those of the page that some values could run here. Inputs are read only where a rule asks for values."""
    by_target: dict[str, list[Grant]] = {}
    for grant in tx.grants(subjects, {target for one in page for target in one.targets}):
        by_target.setdefault(grant.target, []).append(grant)
    mine = {one.name: [grant for target in one.targets for grant in by_target.get(target, ())] for one in page}
    asked = [name for name, grants in mine.items() if any(grant.when for grant in grants)]
    inputs = tx.inputs_of(asked) if asked else {}
    whole = [replace(one, inputs=inputs[one.name]) if one.name in inputs else one for one in page]
    return [one for one in whole if feasible(mine[one.name], subjects, one, channel_id)]


@dataclass(frozen=True, slots=True)
class Offer:
    """One workflow for one person here: with the options that they can choose, what is in the way just now, and the rules by
    which it may need approval."""

    entry: CatalogueEntry | None
    decision: Decision
    obstacle: Decision | None = None
    asks: tuple[Grant, ...] = ()


async def note_refusal(
    actor: Actor, channel_id: str, name: str, decision: Decision, request_id: str, store: Store
) -> None:
    """Record that somebody asked for a workflow's form which they may not have. Raises NotRecorded."""
    facts = {"channel": channel_id, **decided(decision)}
    entry = Entry(
        Act.DENIED,
        team_id=actor.team_id,
        user_id=actor.user_id,
        user_name=actor.name,
        workflow=name[:NAME],
        request_id=request_id,
        facts=facts,
    )
    await store.write(lambda tx: tx.record(entry))


async def offer(
    actor: Actor, subjects: frozenset[str], channel_id: str, name: str, store: Store, admitted: frozenset[Kind]
) -> Offer:
    """Whether the person may run the workflow here with some values; its form may then be shown."""
    if not actor.may_act(admitted):
        return Offer(None, Decision(Verdict.DENY, Reason.NOT_A_MEMBER))

    def question(tx: Reading) -> Offer:
        entry = tx.entry(name)
        if entry is None:
            return Offer(None, Decision(Verdict.DENY, Reason.NOT_IN_CATALOGUE))
        grants = tx.grants(subjects, entry.targets)
        decision = decide(grants, subjects, entry, channel_id, None)
        if not decision.allowed:
            return Offer(entry, decision)
        in_the_way = obstacle(tx, entry, None, actor.user_id, tx.now)
        asks = approvals_possible(grants, subjects, entry, channel_id)
        return Offer(narrowed(grants, subjects, entry, channel_id), decision, in_the_way, asks)

    return await store.read(question)
