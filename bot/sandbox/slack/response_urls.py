"""response_url: a bearer address for each deed, good for 5 uses in 30 minutes.

Source: Slack docs: interactivity/handling-user-interaction ("Message responses").
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from aiohttp import web

from bot.sandbox.slack.api_error import ApiError
from bot.sandbox.slack.posting import Posting
from bot.sandbox.slack.records import Channel, Json, Message
from bot.sandbox.slack.workspace import Workspace

USES_MOST = 5
LIFE_SECONDS = 30 * 60
_KNOWN = [
    "text",
    "blocks",
    "attachments",
    "response_type",
    "replace_original",
    "delete_original",
    "thread_ts",
    "unfurl_links",
    "unfurl_media",
    "metadata",
    "mrkdwn",
]


@dataclass
class _Address:
    user: str
    channel: str
    original: Message | None
    given_at: float
    uses: int = 0


class ResponseUrls:
    """Gives addresses and serves what is posted to them."""

    def __init__(self, workspace: Workspace, posting: Posting) -> None:
        self._workspace = workspace
        self._posting = posting
        self._addresses: dict[str, _Address] = {}

    def give(self, user_id: str, channel_id: str, original: Message | None = None) -> str:
        """A fresh address; `original` is the message whose control was used."""
        key = secrets.token_hex(12)
        self._addresses[key] = _Address(user_id, channel_id, original, time.monotonic())
        return f"{self._workspace.base_url}/response/{key}"

    def expire(self) -> None:
        """Make every address given so far too old, so that a test need not wait half an hour."""
        for address in self._addresses.values():
            address.given_at -= LIFE_SECONDS + 1

    async def handle(self, request: web.Request) -> web.Response:
        """Serve one POST to a response_url."""
        address = self._addresses.get(request.match_info["key"])
        if address is None or time.monotonic() - address.given_at > LIFE_SECONDS:
            return self._refuse(404, "expired_url")
        if address.uses >= USES_MOST:
            return self._refuse(404, "used_url")
        address.uses += 1
        try:
            body = await request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return self._refuse(400, "invalid_payload")
        unknown = sorted(set(body) - set(_KNOWN))
        if unknown:
            self._workspace.violate(f"response_url: unknown properties {unknown}")
        try:
            self._carry_out(address, body)
        except ApiError as error:
            return self._refuse(400, error.code, " ".join(error.messages))
        return web.Response(text="ok")

    def _carry_out(self, address: _Address, body: Json) -> None:
        original = address.original
        if original is not None and original not in self._workspace.channels[address.channel].messages:
            original = None
        if body.get("delete_original"):
            if original is not None:
                self._posting.delete(original)
        elif body.get("replace_original") and original is not None:
            if original.ephemeral_to and body.get("response_type") == "in_channel":
                self._workspace.violate("response_url: an ephemeral message can't become in_channel")
            self._posting.update(original, body)
        else:
            channel = self._workspace.channels[address.channel]
            self.answer(channel, address.user, body)

    def answer(self, channel: Channel, user_id: str, body: Json) -> Message:
        """Post an answer to a deed: ephemeral to its person unless `response_type` is in_channel."""
        kind = body.get("response_type", "ephemeral")
        if kind not in ("ephemeral", "in_channel"):
            raise ApiError("invalid_arguments")
        if body.get("thread_ts") and kind == "ephemeral":
            body = {name: value for name, value in body.items() if name != "thread_ts"}
        message, _ = self._posting.post(channel, body, ephemeral_to=user_id if kind == "ephemeral" else None)
        return message

    def _refuse(self, status: int, code: str, detail: str = "") -> web.Response:
        self._workspace.violate(f"response_url: {code} {detail}".strip())
        return web.json_response({"ok": False, "error": code}, status=status)
