"""Where a run is, told from its audit records alone: each act is a step, and there is no state that no act leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot.domain.runs import State

Body = Mapping[str, Any]
R, W, L, G, U = State.READY, State.AWAITING_APPROVAL, State.LAUNCHING, State.RUNNING, State.UNKNOWN

# What each act follows, and what it leads to; an act that is not here changes no state.
STEPS: Mapping[str, tuple[frozenset[State], Callable[[Body], State]]] = {
    "approval asked": (frozenset({R}), lambda body: W),
    "approved": (frozenset({W}), lambda body: W if body["still_needed"] else R),
    "refused": (frozenset({W}), lambda body: State.REFUSED),
    "expired": (frozenset({W}), lambda body: State.EXPIRED),
    "withdrawn": (frozenset({W}), lambda body: State.CANCELLED),
    "launching": (frozenset({R}), lambda body: L),
    "launched": (frozenset({L, U}), lambda body: G),
    "launch refused": (frozenset({R, L, U}), lambda body: State.NOT_STARTED),
    "launch postponed": (frozenset({R, L}), lambda body: R),
    "unknown": (frozenset({L, G}), lambda body: U),
    "resolved": (frozenset({U}), lambda body: State(body.get("state", G.value))),
    "ended": (frozenset({R, G}), lambda body: State(body["state"])),
}


def missing(bodies: Iterable[Body], state: State) -> str:
    """What is not in the records of a run that is in this state; empty where nothing is missing and all is in order."""
    now: State | None = None
    for body in bodies:
        act = body["act"]
        if act == "requested":
            if now is not None:
                return "it was requested twice"
            now = R
        elif now is None:
            return f"“{act}” comes before “requested”"
        elif act in STEPS and not body.get("late"):
            follows, leads_to = STEPS[act]
            if now not in follows:
                return f"“{act}” comes while the trail has it {now}"
            now = leads_to(body)
    return "" if now is state else f"the trail has it {now}, and it is {state}"
