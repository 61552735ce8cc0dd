"""`/workflow pending`: what waits for my answer, and what of mine waits for others."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.slack.blocks.pending import pending_text
from bot.slack.forms.command_text import Command
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.use_cases.read_approvals import pending


async def pending_asked(context: Context, incoming: Incoming, _: Command) -> None:
    """The command."""
    incoming.reply.ack()
    actor = await context.directory.actor(incoming.team_id, incoming.user_id)
    found = await pending(actor, context.store, context.directory)
    await context.voice.tell(
        incoming, "Pending", pending_text(found.to_answer, found.own, context.command, datetime.now(UTC))
    )
