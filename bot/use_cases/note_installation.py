"""Have a workspace's own trail tell that the bot was installed there, or removed: once, whichever replica sees it first."""

from __future__ import annotations

from bot.domain.audit import Act, Entry
from bot.domain.errors import Refused
from bot.domain.installations import Installation
from bot.use_cases.ports import Store, Writing


async def note_installation(installation: Installation, store: Store) -> None:
    """`store` is the workspace's own database. Raises NotRecorded, and Refused where it is another workspace's."""

    def work(tx: Writing) -> None:
        others = [one.id for one in tx.installations() if one.id != installation.id]
        if others:
            raise Refused(
                f"The database of {installation.id} holds what belongs to {others[0]}. Nothing was done with it."
                " Bring the right one back, from a backup, before anything else."
            )
        is_news, before = tx.note_installation(installation)
        if not is_news:
            return
        if before is None or before.installed_at != installation.installed_at:
            tx.record(_installed(installation))
        if installation.removed_at and (before is None or before.removed_at != installation.removed_at):
            facts = {"workspace": installation.id, "how": installation.trouble}
            tx.record(Entry(Act.WORKSPACE_REMOVED, team_id="", user_id="", facts=facts))

    await store.write(work)


def _installed(installation: Installation) -> Entry:
    facts = {
        "workspace": installation.id,
        "name": installation.name,
        "app": installation.app_id,
        "scopes": sorted(installation.scopes.split(",")),
        "organisation": installation.enterprise_id,
    }
    return Entry(Act.WORKSPACE_INSTALLED, team_id=installation.id, user_id=installation.installed_by, facts=facts)
