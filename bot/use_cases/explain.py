"""Why, or why not: the decision for a person, a place and values, and what would be sent, without doing any of it."""

from __future__ import annotations

from collections.abc import Callable

from bot.domain.catalogue import CatalogueEntry
from bot.domain.explanation import Explanation
from bot.domain.people import Actor, Kind
from bot.domain.policy import Decision, Reason, Verdict, decide, feasible
from bot.use_cases.obstacles import obstacle
from bot.use_cases.ports import Reading, Store
from bot.use_cases.run_workflow import REQUIRED, Values


async def explain(
    actor: Actor,
    subjects: frozenset[str],
    channel_id: str,
    name: str,
    read: Callable[[CatalogueEntry], Values],
    store: Store,
    admitted: frozenset[Kind],
) -> Explanation:
    """What would come of running `name` here with these values. Nothing is recorded."""
    if not actor.may_act(admitted):
        return Explanation(None, Decision(Verdict.DENY, Reason.NOT_A_MEMBER))

    def question(tx: Reading) -> Explanation:
        entry = tx.entry(name)
        if entry is None:
            return Explanation(None, Decision(Verdict.DENY, Reason.NOT_IN_CATALOGUE))
        given = read(entry)
        missing = {field.name: REQUIRED for field in entry.missing(given.given) if field.name not in given.errors}
        values = entry.with_defaults(given.given)
        grants = tx.grants(subjects, entry.targets)
        decision = decide(grants, subjects, entry, channel_id, values)
        if missing and not decision.allowed and feasible(grants, subjects, entry, channel_id, given.given):
            # What a rule asks of the values that are missing stays open.
            decision = decide(grants, subjects, entry, channel_id, None)
        if not decision.allowed:
            return Explanation(entry, decision)
        in_the_way = obstacle(tx, entry, None if missing else values, actor.user_id, tx.now)
        return Explanation(entry, decision, in_the_way, values, {**missing, **given.errors})

    return await store.read(question)
