"""Exchange a token that is about to expire for a new one: by one replica, and none takes an old one for new.

A refresh token is good once, so whoever uses it has the others wait. What it brings is kept as long as the one that was used
is: also where the database was away for longer than the others wait.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.errors import SlackUnavailable, UnreadableSecret
from bot.domain.installations import Installation
from bot.use_cases.persist import persist
from bot.use_cases.ports import Sealer, Store, Writing

CLAIM = timedelta(seconds=60)  # the exchange takes 15 s at most
TOKEN = "token"  # noqa: S105  # the name under which a token is sealed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What Slack gives. `lasts` None: for good."""

    token: str
    refresh_token: str = ""
    lasts: timedelta | None = None

    def ends(self, now: datetime) -> datetime | None:
        """When it expires, counted from now."""
        return None if self.lasts is None else now + self.lasts


# A refresh token for new ones. Raises SlackUnavailable, with what Slack says.
Exchange = Callable[[str], Awaitable[Tokens]]


async def refresh_token(known: Installation, exchange: Exchange, sealer: Sealer, store: Store) -> bool:
    """Exchange it now, unless another replica does. True where there is a new token. Raises NotRecorded."""
    if not await store.write(lambda tx: tx.claim_refresh(known, tx.now + CLAIM)):
        return False
    try:
        tokens = await exchange(str(sealer.unseal(known.refresh_token)[TOKEN]))
    except (SlackUnavailable, UnreadableSecret) as error:
        why = "ENCRYPTION_KEY has changed." if isinstance(error, UnreadableSecret) else str(error)
        words = f"its token can't be refreshed: {why}"
        log.error("workspace %s: %s", known.id, words)
        await store.write(lambda tx: tx.note_trouble(known.id, words))
        return False
    token, refresh = sealer.seal({TOKEN: tokens.token}), sealer.seal({TOKEN: tokens.refresh_token})

    def work(tx: Writing) -> bool:
        return tx.refreshed(known, token, refresh, tokens.ends(tx.now))

    kept = await persist(store, work)  # the token before it is used up
    log.info("workspace %s has a new token%s", known.id, "" if kept else ", and a newer one already")
    return kept
