"""The executions of the stand-in. How far one is follows from the clock, so nothing runs in the background."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.sandbox.datadog.workflows import StoredWorkflow

DISPLAY_NAMES = {
    "IN_PROGRESS": "Running",
    "CANCELED": "Canceled",
    "SUCCEEDED": "Succeeded",
    "STEP_ERROR": "Step error",
    "INSTANCE_ERROR": "Instance error",
}
CANCEL_SECONDS = 0.4  # from the recorded cancel to the recorded end


@dataclass
class StoredInstance:
    """One execution. Times in seconds since the epoch; the outcome is what its workflow had set when it started."""

    workflow: StoredWorkflow
    payload: dict[str, Any]
    started: float
    cancel_seconds: float = CANCEL_SECONDS
    canceled: float | None = None
    gets: int = 0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def __post_init__(self) -> None:
        self.spec, self.steps = self.workflow.spec, self.workflow.step_names
        self.spec_version_id = self.workflow.spec_version_id
        self.outcome, self.outputs = self.workflow.outcome, self.workflow.outputs
        self.step_seconds = self.workflow.step_seconds

    def cancel(self, now: float) -> None:
        """Ask for the end: it comes a little later, if the work isn't done by then. Asking again changes nothing."""
        if self.canceled is None and now < self._natural_end:
            self.canceled = now

    def kind(self, now: float) -> str:
        """The status as Datadog names it."""
        if now < self._end:
            return "IN_PROGRESS"
        return self.outcome if self._end == self._natural_end else "CANCELED"

    def ended_at(self, now: float) -> float | None:
        """When it ended, None while it runs."""
        return self._end if now >= self._end else None

    def step_states(self, now: float) -> list[tuple[str, str]]:
        """The steps reached so far. Only CANCELED is a recorded state of a step; the other words are assumed."""
        reached = min(now, self._end) - self.started
        final = self.kind(now)
        states = []
        for index, name in enumerate(self.steps):
            last = index == len(self.steps) - 1
            if reached < index * self.step_seconds:
                break
            # An instance that ended by itself has done all its steps, whatever is lost in adding up its seconds.
            done = reached >= (index + 1) * self.step_seconds or final not in ("IN_PROGRESS", "CANCELED")
            state = "SUCCEEDED" if done else "IN_PROGRESS"
            if final == "CANCELED" and not done:
                state = "CANCELED"
            if last and done and final not in ("IN_PROGRESS", "CANCELED"):
                state = final
            states.append((name, state))
        return states

    @property
    def _natural_end(self) -> float:
        return self.started + self.step_seconds * len(self.steps)

    @property
    def _end(self) -> float:
        if self.canceled is None:
            return self._natural_end
        return min(self._natural_end, self.canceled + self.cancel_seconds)


def stamp(seconds: float) -> str:
    """A time as Datadog writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
