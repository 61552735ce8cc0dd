"""What the rooms tell of their work so that it can be counted and traced, and on whose behalf they do it.

Here nobody listens: `bot.metrics` does. Names and outcomes are words of the code, never what anybody typed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from types import TracebackType
from typing import Literal, Self

from bot.domain.audit import Entry

# The request that is worked on: each log line, span and audit record written meanwhile bears its id. A run's later steps
# are done on behalf of the request that asked for it.
REQUEST: ContextVar[str] = ContextVar("request", default="")

# What a loop calls each time that it comes round; who watches over it sets it.
COME_ROUND: ContextVar[Callable[[], None]] = ContextVar("come_round", default=lambda: None)

Service = Literal["datadog", "slack"]


class Work:
    """One piece of work, for a `with`. `outcome` is a word for how it ended, empty where the error that leaves it tells.

    `recorded` is what it has added to the audit trail.
    """

    __slots__ = ("outcome", "recorded")

    def __init__(self) -> None:
        self.outcome = ""
        self.recorded: Iterable[Entry] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """How it ended; the error goes on."""


class Telemetry:
    """Takes note of nothing: for the command line, and for tests."""

    def request(self, kind: str, name: str) -> Work:
        """A listener works on a request of Slack's."""
        return Work()

    def call(self, service: Service, name: str) -> Work:
        """A call to Slack or to Datadog."""
        return Work()

    def database(self, operation: Literal["read", "write"]) -> Work:
        """A question to the database, or a transaction, with the time it waits for its turn."""
        return Work()

    def answered(self, kind: str, outcome: str, seconds: float) -> None:
        """Slack has got its answer to a request."""

    def committed(
        self, transactions: int, seconds: float, entries: Iterable[Entry], waited: Iterable[tuple[str, float]]
    ) -> None:
        """A group of transactions was committed, with its audit entries; and how approvals ended, after so many seconds."""

    def loop(self, name: str, event: Literal["begun", "turned", "ended", "fallen"]) -> None:
        """What a supervised loop has just done."""
