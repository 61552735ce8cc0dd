"""Prove who presses with a one-time code: enrol an authenticator, check a code, remove it.

A code counts once. After five wrong ones in a row no code is taken for a quarter of an hour, so that guessing is hopeless.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from bot.domain.audit import Act, Entry
from bot.domain.errors import Refused, UnreadableSecret
from bot.domain.people import Actor
from bot.use_cases.ports import Authenticator, OneTimeCodes, Store, Writing

MISSES = 5  # wrong codes in a row
PAUSE = timedelta(minutes=15)
UNREADABLE = (
    "Your authenticator can't be read any more, as the key it was sealed with has changed. Ask whoever runs the bot to"
    " remove it (workflow-bot authenticators remove), and set it up anew."
)


class CodeAnswer(StrEnum):
    """Why a code doesn't count."""

    NEEDED = "needed"
    WRONG = "wrong"
    BLOCKED = "blocked"
    NO_AUTHENTICATOR = "no authenticator"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the person puts into their authenticator app; empty where a code is refused."""

    uri: str = ""
    refused: CodeAnswer | None = None


def check_code(tx: Writing, actor: Actor, code: str | None, codes: OneTimeCodes) -> CodeAnswer | None:
    """None where the code is right and was not used before; it is used up then. Raises Refused where it can't be read."""
    held = tx.hold_authenticator(actor.team_id, actor.user_id)
    if held is None or not held.sealed:
        return CodeAnswer.NO_AUTHENTICATOR
    if code is None:
        return CodeAnswer.NEEDED
    used = _use(tx, actor, held, held.sealed, code, codes, since=held.counter)
    if isinstance(used, CodeAnswer):
        return used
    tx.put_authenticator(used)
    return None


async def begin_enrolment(actor: Actor, code: str | None, store: Store, codes: OneTimeCodes) -> Enrolment:
    """A new secret for the person's app. Who has an authenticator already proves with a code of it that it is theirs: a
    stolen session alone must not bring its own. Raises NotRecorded, and Refused where it can't be read."""

    def work(tx: Writing) -> Enrolment:
        held = tx.hold_authenticator(actor.team_id, actor.user_id) or Authenticator(actor.team_id, actor.user_id)
        if held.sealed:
            used = (
                CodeAnswer.NEEDED
                if code is None
                else _use(tx, actor, held, held.sealed, code, codes, since=held.counter)
            )
            if isinstance(used, CodeAnswer):
                return Enrolment(refused=used)
            held = used
        fresh = replace(held, pending=codes.new_secret())
        tx.put_authenticator(fresh)
        return Enrolment(codes.uri(fresh.pending, actor.name or actor.user_id))

    return await store.write(work, starts=True)


async def confirm_enrolment(actor: Actor, code: str, store: Store, codes: OneTimeCodes) -> CodeAnswer | None:
    """The first code of the new secret shows that the app has it; None: it counts from now on. Raises NotRecorded."""

    def work(tx: Writing) -> CodeAnswer | None:
        held = tx.hold_authenticator(actor.team_id, actor.user_id)
        if held is None or not held.pending:
            return CodeAnswer.NO_AUTHENTICATOR
        used = _use(tx, actor, held, held.pending, code, codes, since=-1)
        if isinstance(used, CodeAnswer):
            return used
        tx.put_authenticator(replace(used, sealed=held.pending, pending=""))
        tx.record(_entry(Act.AUTHENTICATOR_ADDED, actor))
        return None

    return await store.write(work, starts=True)


async def remove_authenticator(user_id: str, by_name: str, store: Store) -> bool:
    """For a lost phone, by whoever keeps the bot; False where the person has none. Raises NotRecorded."""

    def work(tx: Writing) -> bool:
        removed = tx.remove_authenticators(user_id)
        if removed:
            facts = {"owner": user_id}
            tx.record(Entry(Act.AUTHENTICATOR_REMOVED, team_id="", user_id="", user_name=by_name, facts=facts))
        return removed

    return await store.write(work)


def _use(
    tx: Writing, actor: Actor, held: Authenticator, sealed: str, code: str, codes: OneTimeCodes, *, since: int
) -> Authenticator | CodeAnswer:
    """The authenticator with the code used up, to be kept by the caller; or why the code doesn't count."""
    if held.blocked_until is not None and held.blocked_until > tx.now:
        return CodeAnswer.BLOCKED
    try:
        step = codes.step_of(sealed, code, tx.now)
    except UnreadableSecret:
        raise Refused(UNREADABLE) from None
    if step is not None and step > since:
        return replace(held, counter=step, misses=0, blocked_until=None)
    misses = held.misses + 1
    blocked = tx.now + PAUSE if misses >= MISSES else None
    tx.put_authenticator(replace(held, misses=0 if blocked else misses, blocked_until=blocked))
    tx.record(_entry(Act.CODE_REFUSED, actor))
    return CodeAnswer.BLOCKED if blocked else CodeAnswer.WRONG


def _entry(act: Act, actor: Actor) -> Entry:
    return Entry(act, team_id=actor.team_id, user_id=actor.user_id, user_name=actor.name)
