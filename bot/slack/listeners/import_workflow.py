"""`/workflow import`: admins search Datadog's workflows and get the entry of one for the policy file."""

from __future__ import annotations

import asyncio

from bot.domain.errors import DatadogError
from bot.slack.blocks.import_modal import datadog_options, import_modal
from bot.slack.error_text import whom_to_ask
from bot.slack.forms.command_text import Command
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.slack.listeners.modal import Content, Said, open_modal, replace_modal

SEARCH_LIMIT = 1.8  # seconds; Slack waits 3 for options, and shows none where Datadog takes longer


async def import_asked(context: Context, incoming: Incoming, _: Command) -> None:
    """The command."""
    incoming.reply.ack()
    await open_modal(context, incoming, _search(context, incoming))


async def datadog_options_asked(context: Context, incoming: Incoming) -> None:
    """The search, as the admin types."""
    options = []
    if incoming.user_id in context.admins:
        try:
            typed = str(incoming.body.get("value") or "")[:100]
            options = datadog_options(await asyncio.wait_for(context.search_datadog(typed), SEARCH_LIMIT))
        except (DatadogError, TimeoutError):
            options = []  # Slack has no place for words here; typing on asks again
    incoming.reply.ack({"options": options})


async def datadog_workflow_picked(context: Context, incoming: Incoming) -> None:
    """One was chosen: its entry is shown."""
    incoming.reply.ack()
    option = incoming.action.get("selected_option") or {}
    if option:
        await replace_modal(context, incoming, _entry(context, incoming, str(option.get("value", ""))))


async def _search(context: Context, incoming: Incoming) -> Content:
    if not await context.admits(incoming, context.admins, "import"):
        return Said("Not permitted", f":no_entry: Only admins may import workflows. {whom_to_ask(context.admins)}")
    return import_modal()


async def _entry(context: Context, incoming: Incoming, datadog_id: str) -> Content:
    if not await context.admits(incoming, context.admins, "import"):
        return Said("Not permitted", f":no_entry: Only admins may import workflows. {whom_to_ask(context.admins)}")
    definition = await context.read_datadog(datadog_id)
    return import_modal(definition, context.entry_text(definition))
