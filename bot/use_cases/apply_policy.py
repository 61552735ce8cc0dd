"""Apply a policy: what would change, and the change itself, in one transaction that records who did it."""

from __future__ import annotations

from bot.domain.audit import Act, Entry
from bot.domain.errors import Refused
from bot.domain.policy import Policy
from bot.use_cases.ports import Reading, Store, Writing


async def policy_in_force(store: Store) -> tuple[int, Policy]:
    """The version in force and what it says, grants that people gave included."""

    def question(tx: Reading) -> tuple[int, Policy]:
        version = tx.policy_version()  # first: a policy that is applied while the rest is read is a newer one then
        grants, freezes = tx.all_grants(), tx.freezes()
        accounts = tuple(tx.accounts())
        return version, Policy(tuple(tx.entries()), tuple(grants), tuple(freezes), accounts)

    return await store.read(question)


async def apply_policy(
    policy: Policy, *, digest: str, source: str, applied_by: str, store: Store, planned_on: int | None = None
) -> int:
    """The new policy's version. Raises NotRecorded, and Refused where `planned_on` is not the version in force any more:
    then the old policy stands."""

    def work(tx: Writing) -> int | Refused:
        before = tx.policy_version()
        if planned_on is not None and before != planned_on:
            reason = f"The plan was made on version {planned_on}, and version {before} has been applied since."
            refused = {"policy": before, "digest": digest, "reason": reason}
            tx.record(Entry(Act.POLICY_REFUSED, team_id="", user_id="", user_name=applied_by, facts=refused))
            return Refused(f"{reason} Nothing was changed; make a new plan.")
        version = tx.replace_policy(policy, digest=digest, source=source, applied_by=applied_by)
        facts = {
            "policy": version,
            "digest": digest,
            "workflows": len(policy.entries),
            "grants": len(policy.grants),
            "freezes": len(policy.freezes),
        }
        tx.record(Entry(Act.POLICY_APPLIED, team_id="", user_id="", user_name=applied_by, facts=facts))
        return version

    answer = await store.write(work)
    if isinstance(answer, Refused):
        raise answer
    return answer
