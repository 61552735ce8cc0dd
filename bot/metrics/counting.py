"""How what the rooms tell becomes metrics, and spans where there is somebody to send them to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import TracebackType
from typing import Literal, Protocol

from prometheus_client import Histogram

from bot.domain.audit import Act, Entry
from bot.domain.errors import (
    DatadogForbidden,
    DatadogLimited,
    DatadogRefused,
    DatadogUnreachable,
    NotRecorded,
    OutcomeUnknown,
)
from bot.domain.runs import State
from bot.metrics.families import Counted, Measured
from bot.use_cases.telemetry import Service, Telemetry, Work

OK, ERROR = "ok", "error"
# What a piece of work came to where this error left it.
OUTCOMES: Mapping[type[BaseException], str] = {
    DatadogForbidden: "credentials refused",
    DatadogRefused: "refused",
    DatadogLimited: "limited",
    DatadogUnreachable: "unreachable",
    OutcomeUnknown: "answer lost",
    NotRecorded: "failed",
}
# The acts that end a run or lose it from sight; “ended” and “resolved” name the state themselves.
ENDS: Mapping[Act, State] = {
    Act.LAUNCH_REFUSED: State.NOT_STARTED,
    Act.REFUSED: State.REFUSED,
    Act.EXPIRED: State.EXPIRED,
    Act.WITHDRAWN: State.CANCELLED,
    Act.UNKNOWN: State.UNKNOWN,
}
KINDS = frozenset({"command", "block_actions", "block_suggestion", "view_submission", "view_closed", "event_callback"})


class Span(Protocol):
    """A span under way, in a trace that is sent elsewhere."""

    def close(self, outcome: str, recorded: Iterable[Entry]) -> None: ...


Labels = Callable[[str, str], Histogram]
OpenSpan = Callable[[str, str, bool], Span | None]  # what is done, its name, and whether it is the first of its request


def no_span(_what: str, _name: str, _first: bool) -> None:
    """Where no collector of traces is named."""


class CountedWork(Work):
    """Work that is timed from when it is made, and put under what it came to."""

    __slots__ = ("_began", "_name", "_of", "_span")

    def __init__(self, of: Labels, name: str, span: Span | None) -> None:
        super().__init__()
        self._of, self._name, self._span = of, name, span
        self._began = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        outcome = self.outcome or (OK if kind is None else OUTCOMES.get(kind, ERROR))
        self._of(self._name, outcome).observe(time.perf_counter() - self._began)
        if self._span is not None:
            self._span.close(outcome, self.recorded)


class Counting(Telemetry):
    """Telemetry that is listened to. `spans` opens what goes into traces."""

    def __init__(self, counted: Counted, measured: Measured, spans: OpenSpan = no_span) -> None:
        self._counted = counted
        self._measured = measured
        self._spans = spans
        self.down: set[str] = set()  # loops that have fallen over and are not up again
        self.turned: dict[str, float] = {}  # when each came round last, by the monotonic clock
        # Looked up once for each pair of labels: that takes the library as long as all the rest.
        self._acks, self._requests = cache(counted.acks.labels), cache(counted.requests.labels)
        self._calls = {"datadog": cache(counted.datadog.labels), "slack": cache(counted.slack.labels)}
        self._database = cache(counted.database.labels)

    def request(self, kind: str, name: str) -> Work:
        return CountedWork(self._requests, _known(kind), self._spans(kind, name, True))

    def call(self, service: Service, name: str) -> Work:
        return CountedWork(self._calls[service], name, self._spans(service, name, False))

    def database(self, operation: Literal["read", "write"]) -> Work:
        return CountedWork(self._database, operation, self._spans("database", operation, False))

    def answered(self, kind: str, outcome: str, seconds: float) -> None:
        self._acks(_known(kind), outcome).observe(seconds)

    def committed(
        self, transactions: int, seconds: float, entries: Iterable[Entry], waited: Iterable[tuple[str, float]]
    ) -> None:
        self._counted.commits.observe(seconds)
        self._counted.groups.observe(transactions)
        for entry in entries:
            self._record(entry)
        for outcome, wait in waited:
            self._counted.waits.labels(outcome).observe(wait)

    def loop(self, name: str, event: Literal["begun", "turned", "ended", "fallen"]) -> None:
        if event == "turned":
            self.turned[name] = time.monotonic()
            self._measured.turns.labels(name).set_to_current_time()
            return
        (self.down.add if event == "fallen" else self.down.discard)(name)
        self.turned.pop(name, None)  # until it comes round again; of many workspaces' loops the others do
        self._measured.loops.labels(name).inc(1 if event == "begun" else -1)
        if event == "fallen":
            self._counted.restarts.labels(name).inc()

    def _record(self, entry: Entry) -> None:
        counted, facts = self._counted, entry.facts
        counted.records.labels(entry.act.value).inc()
        if entry.act in (Act.REQUESTED, Act.DENIED):
            counted.decisions.labels(facts["decision"], facts["reason"]).inc()
        ended = ENDS.get(entry.act) or (facts.get("state") if entry.act in (Act.ENDED, Act.RESOLVED) else None)
        if ended is not None and ended != State.RUNNING:
            counted.runs_ended.labels(ended).inc()
            if "seconds" in facts and entry.act is Act.ENDED:
                counted.run.labels(ended).observe(facts["seconds"])


def _known(kind: str) -> str:
    """Slack may send anything: what the bot doesn't know is one kind."""
    return kind if kind in KINDS else "other"
