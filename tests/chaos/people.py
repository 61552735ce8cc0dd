"""People who use Slack while everything around them breaks: they ask, press again where nothing came, cancel, run again.

Nobody presses for ever: after a few times without an answer a person gives up, having seen Slack's own error.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from typing import Any

from bot.sandbox.slack import Person
from bot.sandbox.slack.delivery import Ack
from bot.sandbox.slack.input_state import ClientRefused
from bot.sandbox.slack.records import Message
from tests.chaos.company import CHANNELS, KINDS, REVIEWS, TAG, Ask, Company

PRESSES = 4
LATE = 2.2  # seconds; a later ack is the switchboard's "still at it", which promises nothing
WINDOW = 4.0  # seconds that a person waits for a form

_numbers = itertools.count(1)


class Busy:
    """One person. `chosen` is their own source of chance."""

    def __init__(self, person: Person, company: Company, chosen: random.Random) -> None:
        self.person = person
        self._company = company
        self._random = chosen

    async def deed(self) -> None:
        """Something that people do."""
        kind = self._random.random()
        try:
            if kind < 0.62:
                await self.type_a_command()
            elif kind < 0.84:
                await self.fill_a_form()
            elif kind < 0.90:
                await self.press("cancel_run")
            elif kind < 0.96:
                await self.approve()
            else:
                await self.run_again()
        except (ClientRefused, TimeoutError):
            pass  # what they wanted to press is not there: nothing was asked
        finally:
            await self.person.close_view(all_of_them=True) if self.person.views else None

    async def type_a_command(self, workflow: str = "", channel: str = "") -> Ask:
        """`/workflow run NAME tag=…`; where Slack says that it failed, the same delivery comes once more, or is typed anew."""
        workflow, channel = workflow or self._random.choice(list(KINDS)), channel or self._random.choice(CHANNELS)
        ask = self._new_ask(channel)
        payload: dict[str, Any] | None = None
        for _ in range(PRESSES):
            ask.presses += 1
            if payload is None:
                ack = await self.person.command(channel, f"/workflow run {workflow} {TAG}={ask.tag} --reason chaos")
                payload = self._company.slack.delivered[-1].payload if self._own_last(ask) else None
            else:
                ack = await self._company.slack.deliver("command", payload)
            if self._heard(ask, ack):
                break
            await asyncio.sleep(self._random.uniform(0.3, 1.0))
            if payload is None:
                break  # another person's request came between: they leave it
        await self._read_answer(ask)
        return ask

    async def fill_a_form(self) -> None:
        """`/workflow run NAME` opens the form; submit; press Run again in the same form where it failed."""
        channel = self._random.choice(CHANNELS)
        await self.person.command(channel, f"/workflow run {self._random.choice(list(KINDS))}")
        await self.person.wait_for_view(lambda view: view["callback_id"] == "workflow_form", timeout=WINDOW)
        await self._submit(channel)

    async def run_again(self) -> None:
        """The button on a run that is over; the tag in its form is changed, so that it is another ask."""
        message = self._message_with("run_again")
        await self.person.press("run_again", message)
        await self.person.wait_for_view(lambda view: view["callback_id"] == "workflow_form", timeout=WINDOW)
        await self._submit(message["channel"])

    async def approve(self) -> Ack:
        """The button of a run that waits, in the channel for reviews or in a message of their own."""
        for channel in (REVIEWS, self.person.dm):
            for message in reversed(self._latest(channel, 20)):
                if "approve_run" in json.dumps(message.blocks):
                    return await self.person.press("approve_run", message.as_seen())
        raise ClientRefused("nothing waits for approval")

    async def press(self, button: str) -> Ack:
        return await self.person.press(button, self._message_with(button))

    async def _submit(self, channel: str) -> None:
        ask = self._new_ask(channel)
        await self.person.fill({f"input:{TAG}": ask.tag})
        if "approval:reason" in json.dumps(self.person.view):
            await self.person.fill({"approval:reason": "chaos"})
        for _ in range(PRESSES):
            ask.presses += 1
            result = await self.person.submit()
            if result.happened in ("closed", "cleared"):
                ask.acknowledged = True
                ask.told.clear()  # what an earlier press was told is over
                break
            if result.happened == "updated":
                title = str((self.person.view or {}).get("title", {}).get("text"))
                ask.told.append(title)
                break
            ask.told += list(result.errors.values()) or [f"Slack: {result.ack.error if result.ack else 'not sent'}"]
            await asyncio.sleep(self._random.uniform(0.3, 1.0))
        ask.until = time.time()

    def _new_ask(self, channel: str) -> Ask:
        ask = Ask(f"ask-{next(_numbers)}", self.person.id, channel, time.time())
        self._company.asks[ask.tag] = ask
        return ask

    def _own_last(self, ask: Ask) -> bool:
        return ask.tag in str(self._company.slack.delivered[-1].payload.get("text", ""))

    def _heard(self, ask: Ask, ack: Ack) -> bool:
        """Whether the person can leave it at that."""
        if not ack.ok:
            ask.told.append(f"Slack: {ack.error}")
            return False
        if ack.body.strip():
            ask.told.append(ack.body)
        elif ack.seconds < LATE:
            ask.acknowledged = True
            ask.told.clear()  # what an earlier press was told is over
        return True

    async def _read_answer(self, ask: Ask) -> None:
        """Whatever comes within a moment: words only they can see, or a window."""
        await asyncio.sleep(self._random.uniform(0.1, 0.6))
        ask.until = time.time()
        ask.told += [
            message.text
            for channel in (ask.channel, self.person.dm)
            for message in self._latest(channel, 60)
            if float(message.ts) >= ask.at and (message.ephemeral_to == self.person.id or channel == self.person.dm)
        ]
        ask.told += [str(view["title"]["text"]) for view in self.person.views]

    def _message_with(self, button: str) -> dict[str, Any]:
        channels = self._random.sample(CHANNELS, len(CHANNELS))
        for channel in channels:
            for message in self._latest(channel, 20):
                if button in json.dumps(message.blocks):
                    return message.as_seen()
        raise ClientRefused(f"no {button} anywhere")

    def _latest(self, channel: str, most: int) -> list[Message]:
        return self._company.slack.workspace.channels[channel].messages[-most:]
