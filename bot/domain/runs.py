"""A run: one request to execute a workflow, from the ask to its end, and which state may follow which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a run is. *launching* is committed right before Datadog is called, so a crash after it reads as *unknown*."""

    AWAITING_APPROVAL = "awaiting approval"
    READY = "ready"
    LAUNCHING = "launching"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_STARTED = "not started"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


OPERATOR = "operator"  # in `cancel_by`: whoever used the command line

# Over, with an outcome that is known. An *unknown* run can still be found out about.
ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.NOT_STARTED, State.REFUSED, State.EXPIRED})

_NEXT: Mapping[State, frozenset[State]] = {
    # Ready once everybody needed has approved and nothing is in the way; withdrawn is cancelled.
    State.AWAITING_APPROVAL: frozenset({State.READY, State.REFUSED, State.EXPIRED, State.CANCELLED, State.NOT_STARTED}),
    State.READY: frozenset({State.READY, State.LAUNCHING, State.NOT_STARTED, State.CANCELLED}),
    # Back to ready only where surely nothing was started: a 429, or a connection that was never made.
    State.LAUNCHING: frozenset({State.RUNNING, State.NOT_STARTED, State.READY, State.UNKNOWN}),
    # Each look at a running run moves it to running again, with what was seen.
    State.RUNNING: frozenset({State.RUNNING, State.SUCCEEDED, State.FAILED, State.CANCELLED, State.UNKNOWN}),
    # A late answer of a worker that was taken for dead still tells the truth, and so does what is found in Datadog.
    State.UNKNOWN: frozenset({State.UNKNOWN, State.RUNNING, State.NOT_STARTED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.NOT_STARTED: frozenset(),
    State.REFUSED: frozenset(),
    State.EXPIRED: frozenset(),
}


def may_follow(before: State, after: State) -> bool:
    """True where a run in state `before` may move to `after`."""
    return after in _NEXT[before]


@dataclass(frozen=True, slots=True)
class RunStep:
    """One step of a run: when it was first seen, and when it was first seen to be over; `state` in Datadog's words."""

    name: str
    state: str
    began: datetime
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One row of the runs table.

    `inputs` never holds a secret's value: `secrets` names each secret input with its fingerprint, and `sealed` holds
    the values, encrypted, until the run is over. `due` is when somebody has to look at the run next: while a worker
    holds it, the moment its lease runs out. `token` grows with each claim and fences out a worker that lost it.
    `status` is Datadog's own word for where it is; `looks` counts the looks at Datadog since the last change of state.
    `accepted_at` is when it was let start: at once, or by the last approval. `bound_to` is the hash that its approval is
    bound to (see `bot.domain.approvals.binding`); empty where none was needed.
    """

    id: str
    request_key: str
    request_id: str
    team_id: str
    user_id: str
    user_name: str
    channel_id: str
    workflow: str
    title: str
    datadog_id: str
    account: str
    inputs: Mapping[str, Any]
    secrets: Mapping[str, str]
    definition_hash: str
    policy_version: int
    state: State
    created_at: datetime
    due: datetime | None = None
    token: int = 0
    attempts: int = 0
    sealed: str | None = None
    instance_id: str | None = None
    error: str | None = None
    status: str = ""
    steps: Sequence[RunStep] = ()
    outputs: Mapping[str, Any] | None = None
    looks: int = 0
    cancel_by: str | None = None
    cancel_sent: bool = False
    cancel_asked_at: datetime | None = None
    lock_key: str | None = None
    launched_at: datetime | None = None
    ended_at: datetime | None = None
    accepted_at: datetime | None = None
    bound_to: str = ""
