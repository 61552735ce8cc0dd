"""What goes wrong on purpose. Only switches: the server acts on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

LOST_ANSWERS = ("500", "502", "drop", "garbage")


@dataclass
class Faults:
    """Switches that take effect at once. Times in seconds.

    Before anything is accepted: `delay` (every workflow route), `execute_delay` (starts only), and `status`, answered
    instead of the real answer, with `body` (a list becomes `{"errors": …}`, a text is sent as HTML, an object as it is)
    and `headers`. `on` narrows `status` to one operation: execute, get_instance, list_instances, cancel, get_workflow,
    list_workflows. The key checks are never touched.

    `fail_after_accept` lets the execution happen and then loses the answer: "500", "502", "drop" (the connection is
    cut), "slow:SECONDS" (the answer comes late) or "garbage" (200 with a body that isn't JSON).

    `times` is how often `status` or `fail_after_accept` strikes; None means always. Switches that are spent turn off.

    Instances: `invisible_gets` is how many GETs of each new instance answer INSTANCE_NOT_FOUND; `kind` is reported as
    the status kind of every unfinished instance; `missing` names attributes left out of a GET.

    `clock_skew`: by how much the clock in the `Date` of its answers is ahead.
    """

    delay: float = 0
    execute_delay: float = 0
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    on: str = ""
    fail_after_accept: str = ""
    times: int | None = None
    invisible_gets: int = 0
    kind: str = ""
    missing: tuple[str, ...] = ()
    clock_skew: float = 0

    def clear(self) -> None:
        """Everything works again."""
        self._take_over(Faults())

    def to_json(self) -> dict[str, Any]:
        """The switches as JSON values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return values | {"headers": dict(self.headers), "missing": list(self.missing)}

    def from_json(self, values: Mapping[str, Any]) -> None:
        """Set exactly these switches and clear the others. Raises ValueError for one that doesn't exist."""
        unknown = set(values) - {each.name for each in fields(self)}
        if unknown:
            raise ValueError(f"No such fault: {', '.join(sorted(unknown))}.")
        wanted = Faults(**{**values, "missing": tuple(values.get("missing", ()))})
        wanted.check()
        self._take_over(wanted)

    def check(self) -> None:
        """Raise ValueError for a switch in a position it doesn't have."""
        lost = self.fail_after_accept
        if lost and lost not in LOST_ANSWERS and slow_seconds(lost) is None:
            raise ValueError(
                f"fail_after_accept can't be {lost!r}: take one of {', '.join(LOST_ANSWERS)}, slow:SECONDS."
            )
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError("status must be an HTTP status from 200 to 599.")

    def take_status(self, operation: str) -> int | None:
        """The status to answer this operation with, if that fault strikes now."""
        if self.status is None or self.on not in {"", operation}:
            return None
        status = self.status
        if self._spent():
            self.status = None
        return status

    def take_lost_answer(self) -> str:
        """How the answer to this accepted execution gets lost, empty if it doesn't."""
        lost = self.fail_after_accept
        if lost and self._spent():
            self.fail_after_accept = ""
        return lost

    def _spent(self) -> bool:
        """Count one strike, and tell whether it was the last one."""
        if self.times is None:
            return False
        self.times -= 1
        if self.times > 0:
            return False
        self.times = None
        return True

    def _take_over(self, other: Faults) -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))


def slow_seconds(lost: str) -> float | None:
    """The seconds in "slow:SECONDS", None for anything else."""
    kind, _, seconds = lost.partition(":")
    try:
        return float(seconds) if kind == "slow" else None
    except ValueError:
        return None
