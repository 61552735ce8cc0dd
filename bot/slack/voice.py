"""Says something to the person who asked, the best way there is: in the open view, by response URL, or in a direct message."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.blocks.modals import notice
from bot.slack.incoming import Incoming
from bot.use_cases.telemetry import Telemetry

# The only places that Slack makes response URLs for (Slack docs: interactivity/handling-user-interaction).
SLACK_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
TIMEOUT = aiohttp.ClientTimeout(total=10)

log = logging.getLogger(__name__)


class Voice:
    """Answers that only the person who asked can see."""

    def __init__(self, client: AsyncWebClient, session: aiohttp.ClientSession, telemetry: Telemetry) -> None:
        self._client = client
        self._session = session
        self._telemetry = telemetry
        self._stand_in = _origin(client.base_url) if urlsplit(client.base_url).scheme == "http" else None

    async def tell(self, incoming: Incoming, title: str, words: str, blocks: list[Any] | None = None) -> None:
        """Tell the person: in the window for a window's submission or action, else privately in the channel. `words` is
        mrkdwn."""
        if incoming.view and incoming.view.get("type") != "home":
            await self.show(incoming, notice(title, words))
        elif not await self._respond(incoming, words, blocks) and self._client.token:
            await self._client.chat_postMessage(channel=incoming.user_id, text=words, blocks=blocks)

    async def announce(self, incoming: Incoming, words: str) -> None:
        """Tell everybody in the channel in which the command was typed."""
        if not await self._respond(incoming, words, None, public=True):
            await self._client.chat_postMessage(channel=incoming.channel_id, text=words)

    async def show(self, incoming: Incoming, view: dict[str, Any]) -> None:
        """Put `view` where the person's view is: as the answer to a submission, or by updating it."""
        is_submission = incoming.body.get("type") == "view_submission"
        if is_submission and incoming.reply.ack({"response_action": "update", "view": view}):
            return
        incoming.reply.ack()
        await self.update(str(incoming.view["id"]), view)

    async def update(self, view_id: str, view: dict[str, Any]) -> bool:
        """Replace an open view. False where the person has closed it, or the bot has no token for where they are."""
        if not self._client.token:
            return False
        try:
            await self._client.views_update(view_id=view_id, view=view)
        except SlackApiError as error:
            if error.response.get("error") in ("not_found", "view_not_found"):
                return False
            raise
        return True

    async def _respond(self, incoming: Incoming, words: str, blocks: list[Any] | None, *, public: bool = False) -> bool:
        body: dict[str, Any] = {"response_type": "in_channel" if public else "ephemeral", "text": words}
        if blocks:
            body["blocks"] = blocks
        if "command" in incoming.body and incoming.reply.ack(body):
            return True  # a command's answer can carry the words, and then no crash comes between the two
        url = incoming.response_url
        if not url or not self._may_post_to(url):
            return False
        incoming.reply.ack()
        return await self._post(url, body)

    async def _post(self, url: str, body: dict[str, Any]) -> bool:
        with self._telemetry.call("slack", "response_url") as call:
            try:
                async with self._session.post(url, json=body, timeout=TIMEOUT, allow_redirects=False) as response:
                    if response.status == 200:
                        return True
                    call.outcome = "refused"
                    log.warning("a response URL answered %s", response.status)
            except (aiohttp.ClientError, TimeoutError) as error:
                call.outcome = "unreachable"
                log.warning("a response URL could not be reached: %s", type(error).__name__)
        return False

    def _may_post_to(self, url: str) -> bool:
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname in SLACK_HOSTS:
            return True
        return self._stand_in is not None and _origin(url) == self._stand_in


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
