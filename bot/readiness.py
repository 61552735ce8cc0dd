"""Whether this process can serve just now, check by check. docs/operations.md says what each means and why it counts.

What it says is for anybody who can reach the port: kinds of trouble, and neither hosts nor SQL nor what people did.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from bot.domain.errors import NotRecorded, SlackUnavailable
from bot.slack.directory import SlackDirectory
from bot.slack.socket import Socket
from bot.storage.store import SqlStore
from bot.use_cases.ports import Reading

# Times in seconds.
LASTS = 1.0  # that an answer is given again, so that a flood of questions asks the database once
ANSWER = 2.0  # that the database may take
WRITE = 10.0  # that one commit may take, with its wait for others
TURN = 120.0  # that a loop may need to come round; it takes one or two, and at most half a minute where the database is away

# Without these nothing is started, told or expired. What the other loops do can wait: definitions, samples, witnesses.
NEEDED = frozenset({"run worker", "announcer", "approvals", "workspaces", "tokens", "socket"})

Check = Callable[[], Awaitable[str | None]]


async def loops_go_round(down: Collection[str], turned: Mapping[str, float]) -> str | None:
    """Whether a needed loop has fallen over, or has not come round for long. `turned`: when each last did, monotonic."""
    for name in sorted(NEEDED.intersection(down)):
        return f"the loop “{name}” has fallen over"
    late = [name for name, at in turned.items() if name in NEEDED and time.monotonic() - at > TURN]
    return f"the loop “{late[0]}” does not come round" if late else None


class Readiness:
    """Asks all checks at once; one answer serves everybody who asks within a second."""

    def __init__(self, checks: Mapping[str, Check], informs: Callable[[], Mapping[str, Any]]) -> None:
        self._checks = checks
        self._informs = informs
        self._found: dict[str, str] = {}
        self._looked_at = -LASTS
        self._looking = asyncio.Lock()

    async def look(self) -> tuple[bool, dict[str, Any]]:
        """Whether it is ready, and the answer to `GET /readyz`."""
        async with self._looking:
            if time.monotonic() - self._looked_at >= LASTS:
                troubles = await asyncio.gather(*(check() for check in self._checks.values()))
                self._found = {name: words or "ok" for name, words in zip(self._checks, troubles, strict=True)}
                self._looked_at = time.monotonic()
        reason = next((words for words in self._found.values() if words != "ok"), None)
        answer: dict[str, Any] = {"status": "ready"} if reason is None else {"status": "not ready", "reason": reason}
        return reason is None, {**answer, "checks": self._found, **self._informs()}


class Database:
    """Can it be read, is its schema the one this version works on, and do its commits come to an end?"""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._is_current = False  # once found so it stays: nothing takes migrations back under a bot

    async def read(self) -> str | None:
        """Answered by a question of its own, as a connection that is there may be dead."""
        try:
            async with asyncio.timeout(ANSWER):
                if not self._is_current:
                    self._is_current = await self._store.read(_is_current)
                await self._store.read(lambda tx: tx.policy_version())
        except NotRecorded:
            return "the database can't be read"
        except TimeoutError:
            return "the database does not answer"
        return None if self._is_current else "the database is behind this version's migrations"

    async def written(self) -> str | None:
        """Told by the writer; nothing is written only to look."""
        return "the database takes no writes" if self._store.writing_for() > WRITE else None


async def trail_goes_on(store: SqlStore) -> str | None:
    """Whether the audit trail takes records made with the key that this process has."""
    try:
        async with asyncio.timeout(ANSWER):
            words = await store.unfit_keys()
    except TimeoutError:  # told by the check of the database
        return None
    return "AUDIT_KEY is not the one that the audit trail goes on with" if words else None


async def slack_knows_us(directory: SlackDirectory) -> str | None:
    """Slack has said once whose the token is: without that nobody can be let in."""
    try:
        await directory.me()
    except SlackUnavailable:
        return "Slack does not answer"
    return None


async def heard_on(socket: Socket) -> str | None:
    """Why nothing comes over the socket."""
    return socket.trouble


def _is_current(tx: Reading) -> bool:
    from bot.storage import migrate  # alembic takes a quarter second

    revision = migrate.revision_of(tx.connection)  # type: ignore[attr-defined]  # Slack's and Datadog's rooms have no use for it
    return revision == migrate.newest() or migrate.is_ahead(revision)
