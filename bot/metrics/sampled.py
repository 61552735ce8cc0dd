"""What was looked up in the databases, as gauges."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bot.domain.installations import Troubled
from bot.domain.runs import ENDED, State
from bot.metrics.families import Measured
from bot.use_cases.ports import Sample
from bot.use_cases.take_samples import Round

OPEN = [state for state in State if state not in ENDED]


class Sampled:
    """Puts rounds of samples into the gauges."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        self._samples: dict[str, Sample] = {}  # the last of each workspace
        self._shown: set[tuple[str, str]] = set()  # workspaces and witnesses; "" for the head itself

    def put(self, found: Round, witnesses: Mapping[str, Collection[str]], troubled: Troubled) -> None:
        """Show a round. `witnesses` names those that are to be told, by workspace; in `troubled` workspaces not all is well.
        What could not be looked up stays as it was, which `database_up` tells."""
        gauges = self._measured
        gauges.sampled.set(found.at)
        gauges.database.set(not found.failed)
        gauges.workspaces.set(len(found.samples) + len(found.failed))
        gauges.unserved.set(troubled.unserved)
        gauges.unrefreshed.set(troubled.unrefreshed)
        before = {name: self._samples[name] for name in found.failed if name in self._samples}
        samples = self._samples = before | dict(found.samples)
        for state in OPEN:
            gauges.runs.labels(state.value).set(sum(sample.runs.get(state, 0) for sample in samples.values()))
        gauges.outbox.set(sum(sample.messages for sample in samples.values()))
        gauges.retried.set(sum(sample.retried for sample in samples.values()))
        gauges.outbox_overdue.set(max((sample.messages_overdue for sample in samples.values()), default=0))
        gauges.runs_overdue.set(max((sample.runs_overdue for sample in samples.values()), default=0))
        gauges.oldest_approval.set(max((sample.oldest_approval for sample in samples.values()), default=0))
        self._show_trails(witnesses)

    def _show_trails(self, witnesses: Mapping[str, Collection[str]]) -> None:
        shown: set[tuple[str, str]] = set()
        for workspace, sample in self._samples.items():
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
