"""What each bot that serves says of itself now and then, so that whoever looks into the database knows who is at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

SILENT_AFTER = timedelta(seconds=60)  # four words missed: it was killed, or can't reach the database
LINGERING = timedelta(minutes=5)  # Slack may count the socket of a process that was killed for a while
STARTING = timedelta(seconds=30)  # between a process's first word and its socket


@dataclass(frozen=True, slots=True)
class Replica:
    """One process that serves, in its own latest words. Times are the database's.

    `connections` is how many sockets of the app Slack counted, this one included, when this one was opened; None over
    HTTP. `app_id` is the app that it belongs to. `refused` counts requests whose signature was not right.
    """

    id: str
    host: str
    version: str
    socket_mode: bool
    started_at: datetime
    seen_at: datetime
    heard_at: datetime | None = None
    command: str = ""
    refused: int = 0
    refused_at: datetime | None = None
    connections: int | None = None
    connected_at: datetime | None = None
    app_id: str = ""

    def is_alive(self, now: datetime) -> bool:
        """Whether it has said a word lately."""
        return now - self.seen_at < SILENT_AFTER


def strangers(replicas: Sequence[Replica], now: datetime) -> int:
    """How many of the app's sockets belong to no replica of this database: then another deployment uses the same token.

    Slack counts the sockets when one is opened, so the one opened last knows best. Every replica that may have had one at
    that moment is taken off the count, so that a restart or a killed process is never taken for a stranger.
    """
    counted = [(one.connected_at, one.connections) for one in replicas if one.is_alive(now)]
    latest = max(((at, count) for at, count in counted if at is not None and count is not None), default=None)
    if latest is None:
        return 0
    at, count = latest
    ours = [r for r in replicas if r.socket_mode and r.started_at <= at + STARTING and r.seen_at >= at - LINGERING]
    return max(0, count - len(ours))
