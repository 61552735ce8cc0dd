"""A run: one request to execute a workflow, from the ask to its end, and which state may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a run is. *launching* is committed right before Datadog is called, so a crash after it reads as *unknown*."""

    READY = "ready"
    LAUNCHING = "launching"
    RUNNING = "running"
    NOT_STARTED = "not started"
    UNKNOWN = "unknown"


_NEXT: Mapping[State, frozenset[State]] = {
    State.READY: frozenset({State.LAUNCHING, State.NOT_STARTED}),
    # Back to ready only where surely nothing was started: a 429, or a connection that was never made.
    State.LAUNCHING: frozenset({State.RUNNING, State.NOT_STARTED, State.READY, State.UNKNOWN}),
    # A late answer of a worker that was taken for dead still tells the truth.
    State.UNKNOWN: frozenset({State.RUNNING, State.NOT_STARTED}),
    State.RUNNING: frozenset(),
    State.NOT_STARTED: frozenset(),
}


def may_follow(before: State, after: State) -> bool:
    """True where a run in state `before` may move to `after`."""
    return after in _NEXT[before]


@dataclass(frozen=True, slots=True)
class Run:
    """One row of the runs table.

    `inputs` never holds a secret's value: `secrets` names each secret input with its fingerprint, and `sealed` holds
    the values, encrypted, until the run has been launched. `due` is when somebody has to look at the run next: while a
    worker holds it, the moment its lease runs out. `token` grows with each claim and fences out a worker that lost it.
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
    launched_at: datetime | None = None
    ended_at: datetime | None = None
