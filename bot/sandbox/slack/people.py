"""The test client: a person in the local Slack, who types, presses, fills forms and waits for what the bot does.

Finds controls by id or by what is written on them; everything is carried out by `Client`, nothing is decided here.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

from bot.sandbox.slack.answers import SubmitResult
from bot.sandbox.slack.block_kit import elements_of
from bot.sandbox.slack.client import Client
from bot.sandbox.slack.delivery import Ack
from bot.sandbox.slack.elements import options_of
from bot.sandbox.slack.input_state import ClientRefused, find_option, stateful
from bot.sandbox.slack.records import Json, Member, Message, Surface, View
from bot.sandbox.slack.workspace import Workspace


class Person:
    """One person's client. Every deed raises `ClientRefused` where Slack's client would not let them do it."""

    def __init__(self, workspace: Workspace, client: Client, member: Member) -> None:
        self._ws = workspace
        self._client = client
        self.member = member
        self.id = member.id

    @property
    def dm(self) -> str:
        """The id of the conversation between this person and the bot."""
        return self._ws.direct_message(self.id).id

    @property
    def errors(self) -> list[str]:
        """Slack's own errors shown to this person, oldest first."""
        return self._ws.errors.setdefault(self.id, [])

    @property
    def view(self) -> Json | None:
        """The modal on top, or None: a copy of Slack's view object with its state, and `errors` by block_id."""
        return self.views[-1] if self._ws.stack(self.id) else None

    @property
    def views(self) -> list[Json]:
        """All open modals, bottom to top."""
        return [self._seen(view) for view in self._ws.stack(self.id)]

    @property
    def home(self) -> Json | None:
        """The published Home, or None."""
        home = self._ws.homes.get(self.id)
        return self._seen(home) if home else None

    def messages(self, channel: str) -> list[Json]:
        """A channel's messages as this person sees them, oldest first, in the form of `LocalSlack.messages`."""
        return [message.as_seen() for message in self._visible(channel)]

    def ephemerals(self, channel: str) -> list[Json]:
        """The messages only this person sees."""
        return [m for m in self.messages(channel) if m["ephemeral_to"] == self.id]

    async def command(self, channel: str, text: str) -> Ack:
        """Type `/workflow …` (the command itself may be left out) and return the bot's answer."""
        return await self._client.command(self.id, channel, text)

    async def mention(self, channel: str, text: str, thread_ts: str | None = None) -> Json:
        """Post a message that mentions the bot and return it; the mention is put in front unless it is in the text."""
        mention = f"<@{self._ws.bot_user_id}>"
        return await self.say(channel, text if mention in text else f"{mention} {text}", thread_ts)

    async def say(self, channel: str, text: str, thread_ts: str | None = None) -> Json:
        """Post a message as it is and return it."""
        return (await self._client.say(self.id, channel, text, thread_ts)).as_seen()

    async def open_home(self) -> Ack:
        return await self._client.open_home(self.id)

    async def global_shortcut(self, callback_id: str) -> Ack:
        return await self._client.shortcut(self.id, callback_id)

    async def message_shortcut(self, callback_id: str, channel: str, ts: str) -> Ack:
        found = [m for m in self._visible(channel) if m.ts == ts]
        if not found:
            raise ClientRefused(f"{self.id} sees no message {ts} in {channel}")
        return await self._client.shortcut(self.id, callback_id, found[0])

    async def press(self, name: str, in_message: Json | str | None = None) -> Ack:
        """Press a button, found by action_id, block_id or text: in the top modal, else the newest message, else Home.

        `in_message`: only look in this message (the message or its ts).
        """
        surface, block, element = self._control(name, in_message, ("button",))
        return await self._act(surface, block, element, None)

    async def choose(self, name: str, value: Any, in_message: Json | str | None = None) -> Ack | None:
        """Choose in a select, radio group, overflow menu or any other input, found by action_id, block_id or label.

        `value`: an option's value or text, or a list for several. An external select is asked for its options first.
        Returns the bot's answer, or None where the client sends nothing (an input block that does not dispatch).
        """
        surface, block, element = self._control(name, in_message, None)
        if "external" in element["type"]:
            for wanted in value if isinstance(value, list) else [value]:
                await self._find_suggestion(surface, block, element, str(wanted))
        return await self._client.act(self.id, surface, block["block_id"], element["action_id"], value)

    async def suggestions(self, name: str, query: str = "", in_message: Json | str | None = None) -> list[Json]:
        """The options an external select offers for a query, grouped ones flattened; empty on an error."""
        surface, block, element = self._control(name, in_message, None)
        answer = await self._client.options(self.id, surface, block["block_id"], element["action_id"], query)
        return options_of(answer)

    async def fill(self, values: dict[str, Any]) -> None:
        """Fill inputs of the top modal, each by block_id, action_id or label; a dispatching one tells the bot."""
        for name, value in values.items():
            await self.choose(name, value)

    async def submit(self) -> SubmitResult:
        """Press Submit in the top modal."""
        return await self._client.submit(self.id, self._top())

    def submission(self) -> Json:
        """What Submit would send now, to deliver it by hand, also twice (`LocalSlack.deliver("interactive", …)`)."""
        return self._client.payloads.view_submission(self.id, self._top())

    def button_payload(self, name: str, in_message: Json | str | None = None) -> Json:
        """The payload pressing this button would send now, to deliver it by hand."""
        surface, block, element = self._control(name, in_message, ("button",))
        action: Json = {"action_id": element["action_id"], "type": element["type"]}
        action |= {key: element[key] for key in ("text", "value", "style") if key in element}
        action |= {"block_id": block["block_id"], "action_ts": self._ws.new_ts()}
        return self._client.payloads.block_actions(self.id, surface, action)

    async def close_view(self, *, all_of_them: bool = False) -> None:
        """Cancel the top modal, or close the whole stack (×)."""
        await self._client.close(self.id, self._top(), all_of_them=all_of_them)

    async def wait_for_view(self, wanted: Callable[[Json], Any] = bool, timeout: float = 30) -> Json:
        """The top modal, once it is as wanted.

        Raises:
            TimeoutError: it wasn't within `timeout` seconds.
        """

        def look() -> Json | None:
            view = self.view
            return view if view is not None and wanted(view) else None

        return await self._ws.wait_for(look, timeout, f"a view for {self.id} (at first {self._shown()})")

    async def wait_for_home(self, wanted: Callable[[Json], Any] = bool, timeout: float = 30) -> Json:
        """The Home, once it is as wanted. Raises TimeoutError."""

        def look() -> Json | None:
            home = self.home
            return home if home is not None and wanted(home) else None

        return await self._ws.wait_for(look, timeout, f"a Home for {self.id}")

    async def wait_for_message(self, channel: str, wanted: Callable[[Json], Any] = bool, timeout: float = 30) -> Json:
        """The newest message of the bot in the channel that is as wanted and visible to this person.

        Raises:
            TimeoutError: there was none within `timeout` seconds.
        """

        def look() -> Json | None:
            mine = [m for m in self.messages(channel) if m.get("bot_id") and wanted(m)]
            return mine[-1] if mine else None

        return await self._ws.wait_for(look, timeout, f"a message for {self.id} in {channel}")

    async def _act(self, surface: Surface, block: Json, element: Json, value: Any) -> Ack:
        ack = await self._client.act(self.id, surface, block["block_id"], element["action_id"], value)
        if ack is None:
            raise ClientRefused(f"{element['action_id']} sends nothing")
        return ack

    async def _find_suggestion(self, surface: Surface, block: Json, element: Json, wanted: str) -> None:
        least = element.get("min_query_length", 3)
        for query in ["", wanted] if least == 0 else [wanted]:
            answer = await self._client.options(self.id, surface, block["block_id"], element["action_id"], query)
            try:
                find_option(wanted, options_of(answer))
            except ClientRefused:
                continue
            return
        raise ClientRefused(f"{element['action_id']} does not offer {wanted!r}")

    def _control(
        self, name: str, in_message: Json | str | None, kinds: tuple[str, ...] | None
    ) -> tuple[Surface, Json, Json]:
        for surface in self._surfaces(in_message):
            for matches in (_by_action_id, _by_block_id, _by_words):
                for block in surface.blocks:
                    for element in elements_of(block):
                        if (kinds is None or element["type"] in kinds) and matches(name, block, element):
                            return surface, block, element
        raise ClientRefused(f"{self.id} sees no control {name!r}; the top view is {self._shown()}")

    def _surfaces(self, in_message: Json | str | None) -> Iterator[Surface]:
        channels = [channel for channel in self._ws.channels.values() if channel.has(self.id)]
        messages = [message for channel in channels for message in self._visible(channel.id)]
        messages.sort(key=lambda message: message.ts, reverse=True)
        if in_message is not None:
            ts = in_message["ts"] if isinstance(in_message, dict) else in_message
            yield from [message for message in messages if message.ts == ts]
            return
        stack = self._ws.stack(self.id)
        if stack:
            # A modal covers everything else.
            yield stack[-1]
            return
        yield from messages
        if self.id in self._ws.homes:
            yield self._ws.homes[self.id]

    def _visible(self, channel: str) -> list[Message]:
        return self._ws.visible_messages(channel, self.id) if channel in self._ws.channels else []

    def _seen(self, view: View) -> Json:
        return copy.deepcopy(self._ws.view_payload(view) | {"errors": view.errors})

    def _top(self) -> View:
        stack = self._ws.stack(self.id)
        if not stack:
            raise ClientRefused(f"{self.id} has no modal open")
        return stack[-1]

    def _shown(self) -> str:
        stack = self._ws.stack(self.id)
        if not stack:
            return "none"
        title = stack[-1].definition["title"]["text"]
        return f"{title!r} with {[(b['block_id'], e['action_id']) for b, e in stateful(stack[-1].blocks)]}"


def _by_action_id(name: str, block: Json, element: Json) -> bool:
    return bool(element["action_id"] == name)


def _by_block_id(name: str, block: Json, element: Json) -> bool:
    return bool(block["block_id"] == name)


def _by_words(name: str, block: Json, element: Json) -> bool:
    label = block["label"] if block["type"] == "input" else element.get("text") or element.get("placeholder") or {}
    return bool(re.sub(r"\s+", " ", label.get("text", "")).strip() == name)
