"""App Home: drawn anew whenever a person opens it, and after they have answered there."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from slack_sdk.errors import SlackApiError

from bot.domain.errors import WorkflowBotError
from bot.slack.blocks.home import home
from bot.slack.directory import UNREACHABLE
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.use_cases.read_approvals import pending
from bot.use_cases.read_runs import latest_runs

RUNS = 15

log = logging.getLogger(__name__)


async def home_opened(context: Context, incoming: Incoming) -> None:
    """Slack docs: event app_home_opened; it comes for the Messages tab too."""
    incoming.reply.ack()
    event = incoming.body.get("event") or {}
    if event.get("tab") == "home":
        await publish_home(context, incoming.team_id, str(event.get("user", "")))


async def publish_home(context: Context, team_id: str, user_id: str) -> None:
    """Draw a person's Home. What goes wrong is for the log: the next opening draws it again."""
    try:
        actor = await context.directory.actor(team_id, user_id)
        waiting = await pending(actor, context.store, context.directory)
        runs = await latest_runs(user_id, RUNS, context.store)
        view = home(waiting.to_answer, waiting.own, runs, context.command, datetime.now(UTC))
        await context.client.views_publish(user_id=user_id, view=view)
    except (WorkflowBotError, SlackApiError, *UNREACHABLE) as error:
        log.warning("the Home of %s could not be drawn: %s", user_id, error)
