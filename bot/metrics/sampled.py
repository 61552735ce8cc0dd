"""What was looked up in the databases, as gauges."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bot.domain.runs import ENDED, State
from bot.metrics.families import Measured
from bot.use_cases.take_samples import Round

OPEN = [state for state in State if state not in ENDED]


class Sampled:
    """Puts rounds of samples into the gauges."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        self._shown: set[tuple[str, str]] = set()  # workspaces and witnesses; "" for the head itself

    def put(self, found: Round, witnesses: Mapping[str, Collection[str]]) -> None:
        """Show a round. `witnesses` names those that are to be told, by workspace. What could not be looked up stays as it
        was, so the time and `database_up` tell how old it is."""
        gauges, samples = self._measured, found.samples
        gauges.sampled.set(found.at)
        gauges.database.set(not found.failed)
        gauges.workspaces.set(len(samples) + found.failed)
        if found.failed:
            return
        for state in OPEN:
            gauges.runs.labels(state.value).set(sum(sample.runs.get(state, 0) for sample in samples.values()))
        gauges.outbox.set(sum(sample.messages for sample in samples.values()))
        gauges.retried.set(sum(sample.retried for sample in samples.values()))
        gauges.outbox_overdue.set(max((sample.messages_overdue for sample in samples.values()), default=0))
        gauges.runs_overdue.set(max((sample.runs_overdue for sample in samples.values()), default=0))
        gauges.oldest_approval.set(max((sample.oldest_approval for sample in samples.values()), default=0))
        self._show_trails(found, witnesses)

    def _show_trails(self, found: Round, witnesses: Mapping[str, Collection[str]]) -> None:
        shown: set[tuple[str, str]] = set()
        for workspace, sample in found.samples.items():
            shown.add((workspace, ""))
            self._measured.head.labels(workspace).set(sample.head)
            for witness in sample.told.keys() & set(witnesses.get(workspace, ())):
                shown.add((workspace, witness))
                self._measured.told.labels(workspace, witness).set(sample.told[witness])
        for workspace, witness in self._shown - shown:  # a workspace that is not served any more
            if witness:
                self._measured.told.remove(workspace, witness)
            else:
                self._measured.head.remove(workspace)
        self._shown = shown
