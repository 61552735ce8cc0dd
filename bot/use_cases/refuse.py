"""Turn away whoever asks for what is for admins or auditors, and record that they asked."""

from __future__ import annotations

from bot.domain.audit import Act, Entry
from bot.domain.people import Actor
from bot.use_cases.ports import Store, Writing


async def note_refused(actor: Actor, wanted: str, channel_id: str, request_id: str, store: Store) -> None:
    """Record the refusal. Raises NotRecorded; the person is refused all the same."""
    entry = Entry(
        Act.ADMIN_DENIED,
        team_id=actor.team_id,
        user_id=actor.user_id,
        user_name=actor.name,
        request_id=request_id,
        facts={"channel": channel_id, "wanted": wanted},
    )

    def work(tx: Writing) -> None:
        tx.record(entry)

    await store.write(work)
