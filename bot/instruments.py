"""By what the process is seen from outside: its metrics, the page with them, and what keeps both up to date."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram

from bot.domain.installations import Troubled
from bot.metrics.counting import Counting, no_span
from bot.metrics.families import Counted, Measured, process_collectors
from bot.metrics.heard import HeardCollector
from bot.metrics.page import Page
from bot.metrics.sampled import Sampled
from bot.observability import hide_in_logs
from bot.port import open_port
from bot.settings import Settings
from bot.slack.heard import Heard
from bot.supervision import supervise
from bot.use_cases.ports import Store
from bot.use_cases.take_samples import Round, take_samples

if TYPE_CHECKING:
    from bot.tracing import Tracing

BEAT = 0.5  # seconds between looks at how much too late the event loop is


@dataclass(frozen=True, slots=True)
class Watched:
    """A workspace as it is seen from outside: its database, and whom its trail's head is told to."""

    store: Store
    witnesses: Collection[str]


@dataclass(frozen=True, slots=True)
class Instruments:
    """One process's. `telemetry` is what the rooms tell of their work."""

    telemetry: Counting
    page: Page
    sampled: Sampled
    lag: Histogram
    tracing: Tracing | None


def build_instruments(settings: Settings, heard: Heard) -> Instruments:
    """In a registry of their own: a second bot in one process counts for itself."""
    registry = CollectorRegistry()
    process_collectors(registry)
    registry.register(HeardCollector(heard))
    counted, measured = Counted(registry), Measured(registry)
    tracing = _build_tracing(settings, counted)
    telemetry = Counting(counted, measured, tracing.open if tracing else no_span)
    return Instruments(telemetry, Page(registry, counted.http), Sampled(measured), counted.lag, tracing)


@contextlib.asynccontextmanager
async def watching(
    instruments: Instruments,
    watched: Callable[[], Mapping[str, Watched]],
    troubled: Callable[[], Troubled],
    settings: Settings,
) -> AsyncIterator[None]:
    """Keep the metrics up to date until left, and serve them on an address of their own where one is set.

    `watched` are the workspaces that are served just now, and `troubled` counts those where not all is well.
    """

    def stores() -> Mapping[str, Store]:
        return {name: each.store for name, each in watched().items()}

    def put(found: Round) -> None:
        instruments.sampled.put(found, {name: each.witnesses for name, each in watched().items()}, troubled())

    async with contextlib.AsyncExitStack() as stack:
        if settings.metrics_apart:
            host = settings.metrics_host or settings.host
            await stack.enter_async_context(
                open_port(instruments.page.application(), host, settings.metrics_port, "METRICS_PORT")
            )
        stopping = asyncio.Event()
        sampling = partial(take_samples, stores, instruments.page.is_read, put)
        loops = [
            asyncio.create_task(supervise("samples", sampling, stopping, instruments.telemetry)),
            asyncio.create_task(_beat(instruments.lag)),
        ]
        try:
            yield
        finally:
            stopping.set()
            loops[1].cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            if instruments.tracing is not None:
                await instruments.tracing.close()


def _build_tracing(settings: Settings, counted: Counted) -> Tracing | None:
    if not settings.traces_url:
        return None
    from bot.tracing import Tracing, build_exporter  # it takes a start's time and 10 MB: only where it is wanted

    headers = settings.otel_headers.get_secret_value()
    for header in headers.split(","):
        hide_in_logs(header.partition("=")[2].strip())

    def exported(spans: int, taken: bool) -> None:
        counted.spans.labels("ok" if taken else "lost").inc(spans)

    return Tracing(build_exporter(settings.traces_url, headers), exported)


async def _beat(lag: Histogram) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(BEAT)
        lag.observe(max(0.0, time.perf_counter() - before - BEAT))
