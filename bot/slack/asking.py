"""Asks approvers and reminds them: in a channel, or each person directly; what they were shown is kept up to date."""

from __future__ import annotations

import logging

from slack_sdk.errors import SlackApiError

from bot.domain.approvals import OPEN_APPROVALS, Standing
from bot.domain.people import Kind
from bot.domain.runs import Run
from bot.slack.blocks.approval_message import approval_message, reminder
from bot.slack.posting import Posting, is_closed
from bot.use_cases.ask_approval import may_be_asked
from bot.use_cases.ports import ASK, REMIND, Directory, Message, Writing

# Nobody can be told there, now or later (Slack docs: chat.postMessage, errors).
NOBODY = frozenset({"user_not_found", "user_disabled", "cannot_dm_bot", "messages_tab_disabled", "account_inactive"})
NOWHERE = "-"  # where there is no message: the `ts` of what is done without one

log = logging.getLogger(__name__)


class Asking:
    """Tells what the outbox holds for approvers."""

    def __init__(self, posting: Posting, directory: Directory) -> None:
        self._posting = posting
        self._directory = directory

    async def ask(self, run: Run, standing: Standing, message: Message) -> None:
        """Ask in one place, or bring what was asked up to date. Raises SlackApiError, SlackUnavailable and NotRecorded."""
        place = message.kind.removeprefix(ASK)
        is_open = standing.approval.state in OPEN_APPROVALS
        if place.startswith("S"):
            await self._ask_members(run, standing, message, place if is_open else None)
        elif message.ts == NOWHERE or (message.ts is None and not is_open):
            if is_open and place == standing.approval.requirement.channel:
                await self._ask_directly(run, standing)  # it is closed to us, and others may be asked by now
            await self._posting.told(
                message, place, NOWHERE
            )  # nobody is there, or it was decided before they were asked
        elif message.ts is None or message.posted_in is None:
            await self._first(run, standing, message, place)
        else:
            text, blocks = approval_message(run, standing)
            await self._posting.edit(message.posted_in, message.ts, text, blocks)
            if not await self._posting.told(message, message.posted_in, message.ts):
                await self._posting.store.write(lambda tx: tx.message_stale(message))

    async def remind(self, run: Run, standing: Standing, message: Message, asked: Message | None) -> None:
        """Remind in the thread of what was asked there. Nobody is reminded of what is decided."""
        place = message.kind.removeprefix(REMIND)
        ts = asked.ts if asked is not None else None
        if (
            standing.approval.state in OPEN_APPROVALS
            and asked is not None
            and asked.posted_in
            and ts not in (None, NOWHERE)
        ):
            await self._posting.send(asked.posted_in, reminder(run, standing), None, thread_ts=ts)
        await self._posting.told(message, place, NOWHERE)

    async def _first(self, run: Run, standing: Standing, message: Message, place: str) -> None:
        text, blocks = approval_message(run, standing)
        try:
            posted_in, ts = await self._posting.send(place, text, blocks)
        except SlackApiError as error:
            reason = str(error.response.get("error"))
            if reason not in NOBODY and not is_closed(error):
                raise
            log.error("run %s: %s can't be asked to approve: %s", run.id, place, reason)
            posted_in, ts = place, NOWHERE
            if place == standing.approval.requirement.channel:
                await self._ask_directly(run, standing)
        await self._posting.told(message, posted_in, ts)

    async def _ask_directly(self, run: Run, standing: Standing) -> None:
        """Each person, as the rule's channel is closed to the bot."""
        approval = standing.approval
        subjects = approval.requirement.subjects_now(escalated=approval.escalated)

        def work(tx: Writing) -> None:
            asked = {one.kind for one in tx.messages(run.id)}
            for subject in subjects:
                if may_be_asked(run, approval.requirement, subject) and ASK + subject not in asked:
                    tx.announce_ask(run, subject)

        await self._posting.store.write(work)

    async def _ask_members(self, run: Run, standing: Standing, message: Message, group: str | None) -> None:
        """A user group is asked as its members, each once, whatever groups they are in."""
        found = sorted(await self._directory.members(group)) if group else []
        people = [await self._directory.actor("", member) for member in found]
        members = [
            one.user_id for one in people if one.kind is Kind.MEMBER
        ]  # others may not decide, nor see the inputs

        def work(tx: Writing) -> None:
            asked = {one.kind for one in tx.messages(run.id)}
            for member in members:
                if may_be_asked(run, standing.approval.requirement, member) and ASK + member not in asked:
                    tx.announce_ask(run, member)
            tx.message_told(message, message.channel_id, NOWHERE, whole=True)

        await self._posting.store.write(work)
