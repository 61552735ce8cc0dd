"""Record, once at each start, which settings loosen what the bot would else insist on."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.audit import Act, Entry
from bot.use_cases.ports import Store, Writing


async def note_overrides(settings: Mapping[str, str], version: str, by: str, store: Store) -> None:
    """Nothing where there are none. Raises NotRecorded: then the bot must not start with them."""
    if not settings:
        return
    facts = {"settings": dict(settings), "version": version}
    entry = Entry(Act.OVERRIDE_USED, team_id="", user_id="", user_name=by, facts=facts)

    def work(tx: Writing) -> None:
        tx.record(entry)

    await store.write(work)
