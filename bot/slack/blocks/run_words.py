"""A run in words: marks, states, steps, durations. Used by its message, by lists and by the word at its end. mrkdwn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.runs import OPERATOR, Run, RunStep, State
from bot.slack.blocks.text import code, cut, escape, person

SHOWN_STEPS = 20  # Datadog allows 150; the rest is counted

MARKS = {
    State.AWAITING_APPROVAL: ":raised_hand:",
    State.READY: ":hourglass_flowing_sand:",
    State.LAUNCHING: ":hourglass_flowing_sand:",
    State.RUNNING: ":arrow_forward:",
    State.SUCCEEDED: ":white_check_mark:",
    State.FAILED: ":x:",
    State.CANCELLED: ":no_entry_sign:",
    State.NOT_STARTED: ":no_entry:",
    State.REFUSED: ":no_entry:",
    State.EXPIRED: ":hourglass:",
    State.UNKNOWN: ":grey_question:",
}

# Datadog documents no list of step states; what isn't here is shown as Datadog words it.
STEP_MARKS = {
    "IN_PROGRESS": ":arrow_forward:",
    "SUCCEEDED": ":white_check_mark:",
    "CANCELED": ":no_entry_sign:",
    "FAILED": ":x:",
    "STEP_ERROR": ":x:",
    "INSTANCE_ERROR": ":x:",
    "SKIPPED": ":fast_forward:",
}


def state_words(run: Run) -> str:
    """Where a run is, as a person would say it."""
    took = f" after {duration(run.launched_at, run.ended_at)}" if run.launched_at and run.ended_at else ""
    words = {
        State.AWAITING_APPROVAL: "waiting for approval",
        State.READY: "will be tried again" if run.error else "waiting to be started",
        State.LAUNCHING: "starting",
        State.RUNNING: "being cancelled" if run.cancel_by else "running",
        State.SUCCEEDED: f"succeeded{took}",
        State.FAILED: f"failed{took}",
        State.CANCELLED: f"cancelled{took}" if run.instance_id else _never_begun(run),
        State.NOT_STARTED: "not started",
        State.REFUSED: "refused",
        State.EXPIRED: "not approved in time",
        State.UNKNOWN: "outcome unknown",
    }
    return words[run.state]


def begun_words(run: Run) -> str:
    """Whether it was started, for a run whose glass was broken."""
    never = run.state is State.NOT_STARTED or (run.state is State.CANCELLED and not run.instance_id)
    if never:
        return "was not started"
    if run.state in (State.READY, State.LAUNCHING):
        return "is being started"
    return "may have been started" if run.state is State.UNKNOWN and not run.instance_id else "was started"


def _never_begun(run: Run) -> str:
    return "withdrawn" if run.accepted_at is None else "cancelled before it was started"


def canceller(run: Run) -> str:
    """Who has asked to cancel it; empty: nobody."""
    if run.cancel_by == OPERATOR:
        return "whoever runs the bot"
    return person(run.cancel_by) if run.cancel_by else ""


def steps_text(steps: Sequence[RunStep]) -> str:
    """The steps, a line each, with the time each has taken; the last ones where there are many."""
    lines = [_step(step) for step in steps[-SHOWN_STEPS:]]
    hidden = len(steps) - len(lines)
    return "\n".join([f"… {hidden} steps before", *lines] if hidden else lines)


def duration(began: datetime | None, ended: datetime | None) -> str:
    """`4 s`, `2 min 10 s`, `3 h 5 min`, `2 d 4 h`."""
    if began is None or ended is None:
        return ""
    seconds = max(0, round((ended - began).total_seconds()))
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {unit} {rest} {smaller}" if rest else f"{seconds // size} {unit}"
    return f"{seconds} s"


def _step(step: RunStep) -> str:
    mark = STEP_MARKS.get(step.state)
    # One that was over when it was first seen has taken nobody knows how long.
    took = f"  _{duration(step.began, step.ended)}_" if step.ended and step.ended > step.began else ""
    words = "" if mark else f"  {code(cut(step.state, 40))}"
    return f"{mark or ':small_blue_diamond:'} {escape(cut(step.name, 100))}{took}{words}"
