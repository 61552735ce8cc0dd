"""Posting, changing and deleting messages as Slack does, whoever asks: a method, an answer or a response_url.

Source: Slack docs: reference/methods/chat.postMessage, chat.update, chat.postEphemeral, chat.delete.
"""

from __future__ import annotations

import json
from typing import Any

from bot.sandbox.slack.api_error import ApiError
from bot.sandbox.slack.block_kit import check_blocks, check_metadata, message_blocks_are_too_long
from bot.sandbox.slack.composition import Problem, Problems
from bot.sandbox.slack.input_state import initial_values, normalise
from bot.sandbox.slack.records import Channel, Json, Message
from bot.sandbox.slack.workspace import Workspace

TEXT_MOST = 40_000
UPDATE_TEXT_MOST = 4_000
MARKDOWN_MOST = 12_000
ATTACHMENTS_MOST = 100
METADATA_BYTES_MOST = 32_000


class Posting:
    """The app's messages. Every method raises ApiError where Slack would answer with an error."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def target(self, wanted: object) -> Channel:
        """The conversation to post to, by id, `#name`, or a person's id (their conversation with the bot)."""
        ws, name = self._workspace, str(wanted or "")
        if name in ws.members and name != ws.bot_user_id:
            if ws.members[name].deleted:
                raise ApiError("channel_not_found")
            return ws.direct_message(name)
        named = [c for c in ws.channels.values() if c.name == name.lstrip("#") and not c.im_user]
        channel = ws.channels.get(name) or (named[0] if named else None)
        if channel is None or (channel.is_private and not channel.im_user and not channel.bot_is_member):
            raise ApiError("channel_not_found")
        if channel.is_archived:
            raise ApiError("is_archived")
        if not channel.bot_is_member and "chat:write.public" not in ws.scopes:
            raise ApiError("not_in_channel")
        return channel

    def content(self, params: Json) -> tuple[str, list[Json]]:
        """The text and blocks to show, checked."""
        text, blocks = params.get("text") or "", params.get("blocks") or []
        markdown = params.get("markdown_text")
        if markdown:
            if text or blocks:
                raise ApiError("markdown_text_conflict")
            if len(markdown) > MARKDOWN_MOST:
                raise ApiError("msg_too_long")
            text = markdown
        if not isinstance(text, str):
            raise ApiError("invalid_arguments", [Problem("/text", "must be a string")])
        attachments = params.get("attachments") or []
        if len(attachments) > ATTACHMENTS_MOST:
            raise ApiError("too_many_attachments")
        if not text.strip() and not blocks and not attachments and not params.get("files"):
            raise ApiError("no_text")
        return text, self.checked_blocks(blocks)

    def checked_blocks(self, blocks: Any) -> list[Json]:
        """The blocks with Slack's defaults filled in."""
        problems = Problems()
        check_blocks(problems, blocks, "/blocks", "message")
        if problems:
            raise ApiError("invalid_blocks", problems, errors=[str(problem) for problem in problems])
        if message_blocks_are_too_long(blocks):
            raise ApiError("msg_blocks_too_long")
        return normalise(blocks)

    def post(self, channel: Channel, params: Json, *, ephemeral_to: str | None = None) -> tuple[Message, Json]:
        """Post as the bot; returns the message and warnings for the answer."""
        ws = self._workspace
        text, blocks = self.content(params)
        warnings: Json = {}
        if len(text) > TEXT_MOST:
            text = text[:TEXT_MOST]
            warnings = {"warning": "message_truncated", "response_metadata": {"warnings": ["message_truncated"]}}
            ws.violate(f"message_truncated: a text of more than {TEXT_MOST} characters in {channel.id}")
        thread_ts = str(params["thread_ts"]) if params.get("thread_ts") else None
        if thread_ts:
            self._insist_parent(channel, thread_ts)
        message = Message(
            channel=channel.id,
            ts=ws.new_ts(),
            user=ws.bot_user_id,
            text=text,
            blocks=blocks,
            thread_ts=thread_ts,
            ephemeral_to=ephemeral_to,
            bot_id=ws.bot_id,
            metadata=self._metadata(params),
            attachments=params.get("attachments") or [],
            files=params.get("files") or [],
            values=initial_values(blocks),
        )
        return ws.add_message(message), warnings

    def own_message(self, channel: Channel, ts: object, refusal: str) -> Message:
        """One of the bot's own, non-ephemeral messages, else `refusal` (cant_update_message, cant_delete_message)."""
        message = self._workspace.message(channel.id, str(ts))
        if message is None:
            raise ApiError("message_not_found")
        if message.user != self._workspace.bot_user_id or message.ephemeral_to:
            raise ApiError(refusal)
        return message

    def update(self, message: Message, params: Json) -> None:
        """Change a message: text alone removes the blocks, and only then it shows as edited."""
        text, blocks = params.get("text"), params.get("blocks")
        if text is None and blocks is None and params.get("attachments") is None:
            raise ApiError("no_text")
        if isinstance(text, str) and len(text) > UPDATE_TEXT_MOST:
            raise ApiError("msg_too_long")
        if not text and not blocks and not params.get("attachments"):
            raise ApiError("no_text")
        new_blocks = self.checked_blocks(blocks) if blocks else []
        if "metadata" in params:
            message.metadata = self._metadata(params)
        if text is not None:
            message.text = text
        message.blocks = new_blocks
        message.values = initial_values(new_blocks, message.values)
        message.edited = message.edited or not new_blocks
        self._workspace.changed()

    def delete(self, message: Message) -> None:
        self._workspace.channels[message.channel].messages.remove(message)
        self._workspace.changed()

    def _insist_parent(self, channel: Channel, thread_ts: str) -> None:
        parent = self._workspace.message(channel.id, thread_ts)
        if parent is None or parent.ephemeral_to:
            raise ApiError("thread_not_found")
        if parent.thread_ts not in (None, parent.ts):
            raise ApiError("cannot_reply_to_message")

    def _metadata(self, params: Json) -> Json | None:
        metadata = params.get("metadata")
        if metadata is None:
            return None
        problems = check_metadata(metadata)
        if problems:
            raise ApiError("invalid_metadata_format", problems)
        if len(json.dumps(metadata).encode()) > METADATA_BYTES_MOST:
            raise ApiError("metadata_too_large")
        return metadata or None
