"""What the process has heard from Slack, as metrics: read where it is kept, when somebody scrapes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.metrics.families import PREFIX
from bot.slack.heard import Heard


class HeardCollector(Collector):
    """Counts nothing itself."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def collect(self) -> Iterator[Metric]:
        heard = self._heard
        words = "When Slack last sent a request, 0 where it hasn't since the start"
        yield GaugeMetricFamily(f"{PREFIX}_slack_request_timestamp_seconds", words, _seconds(heard.request_at))
        words = "When the socket was opened last, 0 where it never was"
        yield GaugeMetricFamily(f"{PREFIX}_slack_socket_timestamp_seconds", words, _seconds(heard.connected_at))
        words = "Requests that look like Slack's and are signed with another secret, or long ago"
        yield CounterMetricFamily(f"{PREFIX}_requests_refused", words, heard.refused)


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
