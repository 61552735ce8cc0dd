"""What a person can do in Slack's client, and how it reaches the bot; people and the browser page both act through it.

Refuses (`ClientRefused`) what the real client would not offer; the bot never hears of that.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from bot.sandbox.slack.answers import Answers, SubmitResult
from bot.sandbox.slack.block_kit import elements_of
from bot.sandbox.slack.delivery import Ack, Delivery
from bot.sandbox.slack.elements import options_of
from bot.sandbox.slack.input_state import STATE_KEYS, ClientRefused, refusals, set_value
from bot.sandbox.slack.payloads import Payloads
from bot.sandbox.slack.records import Channel, Json, Message, Surface, View
from bot.sandbox.slack.view_stack import ViewStack
from bot.sandbox.slack.workspace import Workspace


class Client:
    """Deeds of people; each takes the id of the person who does it."""

    def __init__(
        self, workspace: Workspace, views: ViewStack, payloads: Payloads, delivery: Delivery, answers: Answers
    ) -> None:
        self._ws = workspace
        self._views = views
        self.payloads = payloads
        self._delivery = delivery
        self._answers = answers

    async def command(self, user_id: str, channel_id: str, text: str) -> Ack:
        """Type a slash command; `text` with or without the command itself in front."""
        channel = self._channel(user_id, channel_id)
        if self._ws.members[user_id].foreign:
            raise ClientRefused("people of another workspace can't use this app's slash command")
        if text == self._ws.command or text.startswith(self._ws.command + " "):
            text = text[len(self._ws.command) :].strip()
        ack = await self._delivery.send("command", self.payloads.slash_command(user_id, channel, text))
        self._answers.to_command(user_id, channel, ack)
        return ack

    async def say(self, user_id: str, channel_id: str, text: str, thread_ts: str | None = None) -> Message:
        """Post a message as a person; mentions of the bot and direct messages reach it as events."""
        channel = self._channel(user_id, channel_id)
        ws = self._ws
        message = ws.add_message(Message(channel_id, ws.new_ts(), user_id, text, thread_ts=thread_ts))
        member = ws.members[user_id]
        event: Json = {"user": user_id, "text": text, "ts": message.ts, "event_ts": message.ts, "channel": channel_id}
        event |= {"team": member.team_id} | ({"thread_ts": thread_ts} if thread_ts else {})
        if channel.im_user:
            if "im:history" in ws.scopes:
                await self._event(event | {"type": "message", "channel_type": "im"}, user_id, channel)
        elif self._mentions_bot(text) and channel.bot_is_member and "app_mentions:read" in ws.scopes:
            await self._event(event | {"type": "app_mention"}, user_id, channel)
        return message

    async def open_home(self, user_id: str, tab: str = "home") -> Ack:
        """Open the app's Home."""
        channel = self._ws.direct_message(user_id)
        home = self._ws.homes.get(user_id)
        event: Json = {"type": "app_home_opened", "user": user_id, "channel": channel.id, "tab": tab}
        event["event_ts"] = self._ws.new_ts()
        if home is not None and tab == "home":
            event["view"] = self._ws.view_payload(home)
        return await self._event(event, user_id, channel)

    async def shortcut(self, user_id: str, callback_id: str, message: Message | None = None) -> Ack:
        """Use a shortcut, global or on a message."""
        if message is None:
            payload = self.payloads.global_shortcut(user_id, callback_id)
        else:
            payload = self.payloads.message_shortcut(user_id, callback_id, message)
        ack = await self._delivery.send("interactive", payload)
        self._answers.to_action(user_id, f"shortcut {callback_id}", ack)
        return ack

    async def act(self, user_id: str, surface: Surface, block_id: str, action_id: str, raw: Any = None) -> Ack | None:
        """Press a button or choose a value; None where the client only keeps it (an input that doesn't dispatch)."""
        block, element = find_control(surface, block_id, action_id)
        action: Json = {"type": element["type"], "block_id": block_id, "action_id": action_id}
        action["action_ts"] = self._ws.new_ts()
        if element["type"] in STATE_KEYS:
            state = set_value(surface, block, element, raw)
            action |= state
            if isinstance(surface, View):
                surface.errors.pop(block_id, None)
            self._ws.changed()
            if block["type"] == "input" and not block.get("dispatch_action"):
                return None
        elif element["type"] == "overflow":
            chosen = [o for o in options_of(element) if raw in (o["value"], o["text"]["text"])]
            if not chosen:
                raise ClientRefused(f"no option {raw!r} in the overflow menu")
            action["selected_option"] = chosen[0]
        else:
            action |= {name: element[name] for name in ("text", "value", "style", "url") if name in element}
        ack = await self._delivery.send("interactive", self.payloads.block_actions(user_id, surface, action))
        self._answers.to_action(user_id, f"block_actions {action_id}", ack)
        return ack

    async def options(self, user_id: str, surface: Surface, block_id: str, action_id: str, query: str) -> Json:
        """What an external select offers for a query: `{"options"}`, `{"option_groups"}` or `{"error"}`."""
        block, element = find_control(surface, block_id, action_id)
        if "external" not in element["type"]:
            raise ClientRefused(f"{action_id} is no external select")
        if len(query) < element.get("min_query_length", 3):
            raise ClientRefused(f"{action_id} asks only from {element.get('min_query_length', 3)} characters on")
        payload = self.payloads.block_suggestion(user_id, surface, block_id, action_id, query)
        ack = await self._delivery.send("options", payload)
        answer = self._answers.to_suggestion(user_id, f"block_suggestion {action_id}", ack)
        surface.offered[(block["block_id"], element["action_id"])] = options_of(answer)
        return answer

    async def submit(self, user_id: str, view: View) -> SubmitResult:
        """Press Submit in a modal."""
        if not view.is_open or view is not self._ws.stack(user_id)[-1]:
            raise ClientRefused("this modal is not on top")
        if not view.definition.get("submit"):
            raise ClientRefused("this modal has no submit button")
        view.errors = refusals(view)
        self._ws.changed()
        if view.errors:
            return SubmitResult("refused", dict(view.errors))
        ack = await self._delivery.send("interactive", self.payloads.view_submission(user_id, view))
        return self._answers.to_submission(view, ack)

    async def close(self, user_id: str, view: View, *, all_of_them: bool = False) -> None:
        """Close a modal (Cancel), or with × the whole stack."""
        stack = self._ws.stack(user_id)
        if view not in stack:
            raise ClientRefused("this modal is not open")
        cleared = all_of_them or bool(view.definition.get("clear_on_close"))
        told = stack[0] if cleared else view
        if cleared:
            self._views.clear(user_id)
        else:
            self._views.close_top(view)
        if told.definition.get("notify_on_close"):
            payload = self.payloads.view_closed(user_id, told, is_cleared=cleared)
            ack = await self._delivery.send("interactive", payload)
            self._answers.to_action(user_id, "view_closed", ack)

    def _channel(self, user_id: str, channel_id: str) -> Channel:
        if channel_id == "D" + user_id[1:]:
            return self._ws.direct_message(user_id)
        channel = self._ws.channels.get(channel_id)
        if channel is None or not channel.has(user_id):
            raise ClientRefused(f"{user_id} is not in {channel_id}")
        return channel

    def _mentions_bot(self, text: str) -> bool:
        return re.search(rf"<@{self._ws.bot_user_id}(\|[^>]*)?>", text) is not None

    async def _event(self, event: Json, user_id: str, channel: Channel) -> Ack:
        team = self._ws.members[user_id].team_id
        payload = self.payloads.event(event, team, is_ext_shared=channel.is_ext_shared)
        # Shielded: a caller that stops waiting must not make Slack forget the event.
        return await asyncio.shield(self._delivery.send_event(payload))


def find_control(surface: Surface, block_id: str, action_id: str) -> tuple[Json, Json]:
    """The block and element with these ids.

    Raises:
        ClientRefused: the surface has no such control.
    """
    for block in surface.blocks:
        for element in elements_of(block):
            if block["block_id"] == block_id and element["action_id"] == action_id:
                return block, element
    raise ClientRefused(f"no control {block_id}/{action_id}")
