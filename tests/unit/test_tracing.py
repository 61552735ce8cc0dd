from __future__ import annotations

import secrets
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from bot.tracing import Told, Tracing, first_span_id
from bot.use_cases.telemetry import REQUEST


class Kept(SpanExporter):
    """Keeps what it is given, by trace."""

    def __init__(self) -> None:
        self.traces: dict[str, list[ReadableSpan]] = {}

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            assert span.context is not None
            self.traces.setdefault(f"{span.context.trace_id:032x}", []).append(span)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...


def _tracing() -> tuple[Kept, Tracing]:
    kept = Kept()
    return kept, Tracing(kept, lambda _spans, _taken: None)


def _span(tracing: Tracing, request: str, *, first: bool) -> None:
    token = REQUEST.set(request)
    span = tracing.open("command" if first else "datadog", "", first)
    if span is not None:
        span.close("ok", ())
    REQUEST.reset(token)


async def test_one_request_in_so_many_is_kept_and_that_one_with_all_that_follows_on_any_replica(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    (kept, here), (elsewhere, there) = _tracing(), _tracing()
    requests = [secrets.token_hex(16) for _ in range(100)]
    for request in requests:
        _span(here, request, first=True)
        _span(there, request, first=False)
    await here.close()
    await there.close()
    assert 0 < len(kept.traces) < 100
    assert kept.traces.keys() == elsewhere.traces.keys() <= set(requests)
    for request, (span,) in elsewhere.traces.items():
        assert span.parent is not None
        assert span.parent.span_id == first_span_id(request)


async def test_a_collector_that_goes_away_and_comes_back_is_told_once_each_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = [True, False, False, False, True, True]

    class Away(Kept):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.SUCCESS if answers.pop(0) else SpanExportResult.FAILURE

    caplog.set_level("INFO", logger="bot.tracing")
    counted: list[bool] = []
    told = Told(Away(), lambda _spans, taken: counted.append(taken))
    for _ in range(6):
        told.export(())
    assert counted == [True, False, False, False, True, True]
    here = [line for line in caplog.records if line.name == "bot.tracing" and line.threadName == "MainThread"]
    assert [line.getMessage() for line in here] == [
        "the collector does not take traces: they are lost until it does",
        "the collector takes traces again",
    ]


@pytest.mark.parametrize("request_id", ["", "a person typed this", "0" * 31, "g" * 32])
async def test_work_that_no_request_asked_for_is_in_no_trace(request_id: str) -> None:
    kept, tracing = _tracing()
    _span(tracing, request_id, first=False)
    await tracing.close()
    assert kept.traces == {}
