"""Every metric of the bot: name, type, labels. docs/observability.md says of each what it tells, and a test compares.

No label ever holds a person, a workflow, an input or a text: each has few values, and all of them are words of the code; but
for the workspaces and the names of witnesses, which are as few as there are.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from bot import __version__

PREFIX = "workflow_bot"

# Upper bounds of buckets, in seconds. Slack waits 3 s for an ack.
ACK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
CALL = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
COMMIT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
RUN = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
WAIT = (10.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0, 259_200.0)
GROUP = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # transactions


class Counted:
    """What is counted as it happens."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, words: str, *labels: str) -> Counter:
            return Counter(name, words, labels, namespace=PREFIX, registry=registry)

        def histogram(name: str, words: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(name, words, labels, namespace=PREFIX, registry=registry, buckets=buckets)

        self.acks = histogram("ack_seconds", "From a request of Slack's to the answer", ACK, "kind", "outcome")
        self.requests = histogram("request_seconds", "All work on a request of Slack's", CALL, "kind", "outcome")
        self.http = counter("http_answers", "Answers to HTTP requests", "path", "status")
        self.decisions = counter("decisions", "What asking to run a workflow came to", "decision", "reason")
        self.records = counter("audit_records", "Records added to the audit trail", "act")
        self.runs_ended = counter("runs_ended", "Runs that ended or were lost from sight", "state")
        self.run = histogram("run_seconds", "From a run's start in Datadog to its end", RUN, "state")
        self.waits = histogram("approval_wait_seconds", "From asking for an approval to its end", WAIT, "outcome")
        self.datadog = histogram("datadog_call_seconds", "Calls to Datadog", CALL, "call", "outcome")
        self.slack = histogram("slack_call_seconds", "Calls to Slack", CALL, "call", "outcome")
        words = "Questions to the database and transactions, with their wait"
        self.database = histogram("database_seconds", words, COMMIT, "operation", "outcome")
        self.commits = histogram("database_commit_seconds", "Commits of a group of transactions", COMMIT)
        self.groups = histogram("database_commit_transactions", "Transactions in one commit", GROUP)
        self.restarts = counter("loop_restarts", "Loops that fell over and were started again", "loop")
        self.spans = counter("spans", "Spans that were sent to the collector of traces", "outcome")
        self.lag = histogram("event_loop_lag_seconds", "How much too late the event loop comes to a task", LAG)


class Measured:
    """What is as it is: told by the process, or looked up in the database from time to time."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, words: str, *labels: str) -> Gauge:
            return Gauge(name, words, labels, namespace=PREFIX, registry=registry)

        version = Info("build", "The version of the bot", namespace=PREFIX, registry=registry)
        version.info({"version": __version__})
        self.loops = gauge("loops", "Supervised loops that go", "loop")
        self.turns = gauge("loop_turn_timestamp_seconds", "When the loop came round last", "loop")
        self.sampled = gauge("sampled_timestamp_seconds", "When the database was last looked at for what follows")
        self.database = gauge("database_up", "1 where that look succeeded, in every workspace")
        self.workspaces = gauge("workspaces", "Workspaces that this process serves")
        self.unserved = gauge("workspaces_unserved", "Workspaces that have installed the bot and that it can't serve")
        words = "Workspaces whose token is about to end and was not exchanged at the last attempt"
        self.unrefreshed = gauge("workspaces_unrefreshed", words)
        self.runs = gauge("runs", "Runs that are not over", "state")
        self.runs_overdue = gauge("runs_overdue_seconds", "How long the run that is due longest has been due")
        self.oldest_approval = gauge("approval_oldest_seconds", "Age of the oldest approval that nobody has decided on")
        self.outbox = gauge("outbox_messages", "Messages that Slack has still to be told")
        self.retried = gauge("outbox_retried_messages", "Those of them that Slack did not take at the first attempt")
        self.outbox_overdue = gauge("outbox_overdue_seconds", "How long the message due longest has been due")
        self.head = gauge("audit_head", "Number of the last record of the audit trail", "workspace")
        words = "Number of the last record that a witness of the trail was told of"
        self.told = gauge("audit_witness_told", words, "workspace", "witness")


def process_collectors(registry: CollectorRegistry) -> None:
    """The library's own: memory, processor time, open files, garbage collections, the version of Python."""
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
