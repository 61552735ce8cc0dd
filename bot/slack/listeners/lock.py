"""`/workflow lock` and `unlock`: keep others from running a workflow, or from running it with certain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bot.domain.durations import in_words
from bot.domain.inputs import InvalidInput, as_text
from bot.slack.blocks.text import code, cut, escape, moment, person
from bot.slack.error_text import whom_to_ask
from bot.slack.forms.command_text import Command
from bot.slack.incoming import Incoming
from bot.slack.listeners.context import Context
from bot.use_cases.lock_workflow import LONGEST, LockAnswer, Locking, LockWish, lock, unlock

LASTS = timedelta(hours=4)  # where nothing else is said
UNITS = {"m": 60, "h": 3600, "d": 86400}
SPAN = re.compile(r"([1-9][0-9]{0,3})([mhd])")


async def lock_asked(context: Context, incoming: Incoming, parsed: Command) -> None:
    """`lock NAME key=value … reason [for 2h]`; announced to the channel, so that everybody knows."""
    incoming.reply.ack()
    reason, lasts = _reason(parsed.words[1:])
    if not parsed.words or not reason:
        usage = f"Write {code(f'{context.command} lock NAME key=value … reason for 2h')}, m or d, with a reason."
        await context.voice.tell(incoming, "Lock", f":information_source: {usage}")
        return
    if lasts > LONGEST:
        longest = f"A lock lasts {in_words(LONGEST)} at most, and its owner renews it by locking again."
        write = f"Write {code(f'for {LONGEST.days}d')} or less. Nothing was locked."
        await context.voice.tell(incoming, "Lock", f":information_source: {longest} {write}")
        return
    wish = await _wish(context, incoming, parsed)
    if wish is None:
        return
    answer = await lock(wish, reason, lasts, context.store)
    await _answer(context, incoming, wish, answer)


async def unlock_asked(context: Context, incoming: Incoming, parsed: Command) -> None:
    """`unlock NAME key=value …`: its owner may; an admin may by force, which is announced."""
    incoming.reply.ack()
    if len(parsed.words) != 1:
        usage = f"Write {code(f'{context.command} unlock NAME key=value …')}, with the values that were locked."
        await context.voice.tell(incoming, "Unlock", f":information_source: {usage}")
        return
    wish = await _wish(context, incoming, parsed)
    if wish is not None:
        await _answer(context, incoming, wish, await unlock(wish, context.store))


async def _wish(context: Context, incoming: Incoming, parsed: Command) -> LockWish | None:
    name = parsed.words[0][:100]
    entry = await context.store.read(lambda tx: tx.entry(name))
    when: dict[str, Any] = {}
    for key, text in parsed.pairs.items():
        field = entry.input(key) if entry else None
        if field is None or field.secret:
            words = f":information_source: {code(name)} has no input {code(key)} that can be locked on."
            await context.voice.tell(incoming, "Lock", words)
            return None
        try:
            when[key] = field.from_text(text)
        except InvalidInput as error:
            await context.voice.tell(incoming, "Lock", f":information_source: {code(key)}: {escape(str(error))}")
            return None
    actor, subjects = await context.who(incoming)
    return LockWish(
        actor, subjects, incoming.channel_id, name, when, context.admitted, context.admins, incoming.request_id
    )


async def _answer(context: Context, incoming: Incoming, wish: LockWish, answer: Locking) -> None:
    what = _what(wish.workflow, wish.when)
    who = person(wish.actor.user_id)
    match answer.answer:
        case LockAnswer.TAKEN if answer.lock is not None:
            until, reason = moment(answer.lock.until), escape(cut(answer.lock.reason, 500))
            await context.voice.announce(incoming, f":lock: {who} has locked {what} until {until}: {reason}")
        case LockAnswer.TAKEN_BY_OTHER if answer.lock is not None:
            by, until = person(answer.lock.owner_id), moment(answer.lock.until)
            words = f":lock: {what} is locked already, by {by} until {until}: {escape(cut(answer.lock.reason, 500))}"
            await context.voice.tell(incoming, "Lock", words)
        case LockAnswer.NO_SUCH_WORKFLOW:
            words = f":information_source: There is no workflow called {code(wish.workflow)} in the catalogue."
            await context.voice.tell(incoming, "Lock", words)
        case LockAnswer.RELEASED:
            await context.voice.announce(incoming, f":unlock: {who} has unlocked {what}.")
        case LockAnswer.FORCED:
            whose = f"{person(answer.lock.owner_id)}'s lock" if answer.lock else f"the lock of run {answer.run_id}"
            await context.voice.announce(incoming, f":unlock: {who} has released {whose} on {what} by force.")
        case LockAnswer.DENIED:
            words = f":no_entry: You may not lock or unlock {what}. {whom_to_ask(context.admins)}"
            await context.voice.tell(incoming, "Lock", words)
        case _:
            await context.voice.tell(incoming, "Unlock", f":information_source: {what} is not locked.")


def _what(workflow: str, when: Mapping[str, Any]) -> str:
    values = " ".join(f"{name}={as_text(value)}" for name, value in when.items())
    return code(f"{workflow} {values}".strip())


def _reason(words: tuple[str, ...]) -> tuple[str, timedelta]:
    """The reason and how long; without a reason where what stands behind `for` can't be read as a time."""
    if len(words) >= 2 and words[-2] == "for" and words[-1][:1].isdigit():
        span = SPAN.fullmatch(words[-1])
        return (" ".join(words[:-2]), timedelta(seconds=int(span[1]) * UNITS[span[2]])) if span else ("", LASTS)
    return " ".join(words), LASTS
