"""What can be made to go wrong in the local Slack's Web API, for tests and for the browser page's switches."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bot.sandbox.slack.records import Json


@dataclass
class Fault:
    """One way a method fails. `method` "*" means every method; `times` None means until cleared.

    `drop` "before" closes the connection without doing anything, "after" does it and loses the answer.
    """

    method: str = "*"
    error: str | None = None
    status: int = 200
    retry_after: float | None = None
    times: int | None = None
    drop: str | None = None


class Faults:
    """The faults in force. They never count as violations, since the bot can't help them.

    `clock_skew`, in seconds: by how much the clock in the `Date` of its answers is ahead.
    """

    def __init__(self) -> None:
        self.delay = 0.0
        self.clock_skew = 0.0
        self._faults: list[Fault] = []

    def fail(
        self,
        method: str,
        error: str | None = "internal_error",
        status: int = 200,
        retry_after: float | None = None,
        times: int | None = None,
    ) -> None:
        """Answer `method` with an error (`{"ok": false, "error": …}`), an HTTP status and perhaps Retry-After."""
        self._faults.append(Fault(method, error, status, retry_after, times))

    def drop(self, method: str = "*", times: int | None = 1, *, after: bool = False) -> None:
        """Close the connection instead of answering; with `after`, the method has been carried out by then."""
        self._faults.append(Fault(method, times=times, drop="after" if after else "before"))

    def take(self, method: str) -> Fault | None:
        """The fault that hits this call, if any; counts it down."""
        for fault in self._faults:
            if fault.method in ("*", method):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Make everything work again."""
        self.delay = self.clock_skew = 0.0
        self._faults.clear()

    def to_json(self) -> Json:
        """`{"delay": seconds, "clock_skew": seconds, "faults": [{method, error, status, retry_after, times, drop}]}`."""
        faults = [asdict(fault) for fault in self._faults]
        return {"delay": self.delay, "clock_skew": self.clock_skew, "faults": faults}

    def from_json(self, wanted: Json) -> None:
        """Replace all faults with those given in the form of `to_json`.

        Raises:
            TypeError, ValueError: a property is unknown or has the wrong type.
        """
        delay, clock_skew = float(wanted.get("delay", 0)), float(wanted.get("clock_skew", 0))
        faults = [Fault(**fault) for fault in wanted.get("faults", [])]
        self.delay, self.clock_skew, self._faults = delay, clock_skew, faults
