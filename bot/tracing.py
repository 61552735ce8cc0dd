"""Traces: what a request came to, step by step, sent to a collector over OTLP/HTTP. Imported only where one is named.

A request and its trace have one id, and the first span has the first half of it. So whatever is done on behalf of a run later,
after a restart or on another replica, joins the trace of the request that asked for it, and nothing has to be kept for that.

Spans are handed to the library's own thread through a queue of limited length: a collector that is away or slow costs spans, and
nobody's time. A span says what was done and how it ended; never an input, a text or a person.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Token

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.util.re import parse_env_headers

from bot import __version__
from bot.domain.audit import Act, Entry
from bot.use_cases.telemetry import REQUEST

LAST_WORD = 3.0  # seconds that a stopping bot gives to the last spans
REQUEST_ID = re.compile(r"[0-9a-f]{32}")
# Loggers of the library that say again and again what is said here once.
WORDY = ("opentelemetry.exporter.otlp.json.http.trace_exporter", "opentelemetry.sdk._shared_internal")
WELL = frozenset({"ok", "explained"})  # outcomes that are no error
# Facts that a span may tell, by act: words of the code. A fact of the same name in another act may be what somebody typed.
TELLABLE: Mapping[Act, tuple[str, ...]] = {
    Act.REQUESTED: ("decision", "reason"),
    Act.DENIED: ("decision", "reason"),
    Act.ENDED: ("state",),
    Act.RESOLVED: ("state",),
}


log = logging.getLogger(__name__)


def build_exporter(endpoint: str, headers: str) -> SpanExporter:
    """For a collector at this address. `headers` as in OTEL_EXPORTER_OTLP_HEADERS; what else the library reads of the
    environment (OTEL_EXPORTER_OTLP_TIMEOUT, …_CERTIFICATE, …) it reads itself."""
    return OTLPSpanExporter(endpoint=endpoint, headers=parse_env_headers(headers, liberal=True))


class Told(SpanExporter):
    """An exporter that is told of: in a count, and once in the log when the collector goes away or comes back. The library
    itself would write twenty lines a minute."""

    def __init__(self, exporter: SpanExporter, exported: Callable[[int, bool], None]) -> None:
        self._exporter = exporter
        self._exported = exported
        self._is_there = True
        if not log.isEnabledFor(logging.DEBUG):
            for name in WORDY:
                logging.getLogger(name).setLevel(logging.CRITICAL)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        taken = result is SpanExportResult.SUCCESS
        self._exported(len(spans), taken)
        if taken is not self._is_there:
            self._is_there = taken
            if taken:
                log.info("the collector takes traces again")
            else:
                log.warning("the collector does not take traces: they are lost until it does")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class OpenSpan:
    """A span that is the current one until it is closed."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token: Token[Context] = contexts.attach(trace.set_span_in_context(span))

    def close(self, outcome: str, recorded: Iterable[Entry]) -> None:
        contexts.detach(self._token)
        for entry in recorded:
            names = TELLABLE.get(entry.act, ())
            told = {f"workflow_bot.{name}": str(entry.facts[name]) for name in names if name in entry.facts}
            # Without a run the workflow may be a name that nothing has: whatever somebody typed.
            about = {"workflow_bot.run": entry.run_id, "workflow_bot.workflow": entry.workflow} if entry.run_id else {}
            self._span.add_event(entry.act.value, {**about, **told})
        self._span.set_attribute("workflow_bot.outcome", outcome)
        if outcome not in WELL:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class _Ids(RandomIdGenerator):
    """The ids of a trace and of its first span are made of the request's; all others are random."""

    first = False

    def generate_trace_id(self) -> int:
        return int(REQUEST.get(), 16)

    def generate_span_id(self) -> int:
        if self.first:
            self.first = False
            return first_span_id(REQUEST.get())
        return super().generate_span_id()


class Tracing:
    """Opens spans, and sends them through the exporter. `exported` is told how many were, and whether they were taken."""

    def __init__(self, exporter: SpanExporter, exported: Callable[[int, bool], None]) -> None:
        self._ids = _Ids()
        own = Resource({"service.name": "workflow-bot", "service.version": __version__})
        resource = own.merge(OTELResourceDetector().detect())  # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(Told(exporter, exported)))
        self._tracer = self._provider.get_tracer("workflow-bot", __version__)

    def open(self, what: str, name: str, first: bool) -> OpenSpan | None:
        """A span within the trace of the request that is worked on; None for work that no request asked for."""
        request_id = REQUEST.get()
        if not REQUEST_ID.fullmatch(request_id):
            return None
        self._ids.first = first
        parent = Context() if first else self._parent(request_id)
        kind = SpanKind.SERVER if first else SpanKind.CLIENT
        attributes = {"workflow_bot.request": request_id}
        return OpenSpan(self._tracer.start_span(f"{what} {name}".rstrip(), parent, kind, attributes))

    async def close(self) -> None:
        """Send what is left, for as long as that may take. In a thread that keeps nobody from ending the process."""
        thread = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        thread.start()
        await asyncio.to_thread(thread.join, LAST_WORD)

    def _parent(self, request_id: str) -> Context | None:
        """The current span, where it is of this trace; else the first span, wherever and whenever that was."""
        trace_id, current = int(request_id, 16), trace.get_current_span().get_span_context()
        if current.is_valid and current.trace_id == trace_id:
            return None
        taken = self._provider.sampler.should_sample(Context(), trace_id, "").decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags(TraceFlags.SAMPLED if taken else TraceFlags.DEFAULT)
        parent = SpanContext(trace_id, first_span_id(request_id), is_remote=True, trace_flags=flags)
        return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def first_span_id(request_id: str) -> int:
    """The id of the span that everything else of a request is below."""
    return int(request_id[:16], 16)
