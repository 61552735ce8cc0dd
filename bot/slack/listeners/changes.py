"""Slack says that a person or a user group has changed: what the directory remembers of them is forgotten.

Slack docs: events subteam_members_changed, subteam_updated, user_change. Each reaches one replica; the others
ask again when what they know is older than the directory's limit.
"""

from __future__ import annotations

from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context


async def group_changed(context: Context, incoming: Incoming) -> None:
    """Members came or went, or the group itself was changed."""
    incoming.reply.ack()
    event = incoming.body.get("event") or {}
    group = event.get("subteam_id") or (event.get("subteam") or {}).get("id")
    if group:
        context.directory.forget_group(str(group))


async def person_changed(context: Context, incoming: Incoming) -> None:
    """Somebody was deactivated, became a guest, or changed their name."""
    incoming.reply.ack()
    user = (incoming.body.get("event") or {}).get("user") or {}
    if isinstance(user, dict) and user.get("id"):
        context.directory.forget_person(str(user["id"]))
