"""`/workflow why NAME key=value …`: the rule that decides, in words; admins may ask about others. And the dry run."""

from __future__ import annotations

import re

from bot.domain.explanation import Explanation
from bot.slack.blocks.explanation import dry_run_text, why_text
from bot.slack.blocks.text import code, escape
from bot.slack.forms.command_text import Command, UnreadableCommand, read_pairs
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.use_cases.explain import explain

PERSON = re.compile(r"[UW][A-Z0-9]{2,20}")


async def why(context: Context, incoming: Incoming, parsed: Command) -> None:
    """Explain the decision for the asker, or for another person to an admin."""
    incoming.reply.ack()
    people = [word for word in parsed.words[1:] if PERSON.fullmatch(word)]
    if not parsed.words or len(parsed.words) != 1 + len(people) or len(people) > 1:
        usage = f"Write {code(f'{context.command} why NAME key=value …')}; admins may add a @person."
        await context.voice.tell(incoming, "Why", f":information_source: {usage}")
        return
    about = people[0] if people and people[0] != incoming.user_id else None
    if about and not await context.admits(incoming, context.admins, "why about others"):
        await context.voice.tell(incoming, "Why", ":no_entry: Only admins may ask about others.")
        return
    try:
        explanation = await _explain(context, incoming, parsed, about)
    except UnreadableCommand as error:
        await context.voice.tell(incoming, "Why", f":information_source: {escape(str(error))}")
        return
    await context.voice.tell(incoming, "Why", why_text(parsed.words[0], explanation, context.admins, about))


async def dry_run(context: Context, incoming: Incoming, parsed: Command) -> str:
    """`run … --dry-run`: what would be sent. Raises UnreadableCommand."""
    explanation = await _explain(context, incoming, parsed, None)
    url = context.execute_url(explanation.entry) if explanation.entry else None
    return dry_run_text(parsed.words[0], explanation, context.admins, url)


async def _explain(context: Context, incoming: Incoming, parsed: Command, about: str | None) -> Explanation:
    actor, subjects = await context.who(incoming, about)
    return await explain(
        actor,
        subjects,
        incoming.channel_id,
        parsed.words[0][:100],
        lambda entry: read_pairs(entry, parsed.pairs),
        context.store,
        context.admitted,
    )
