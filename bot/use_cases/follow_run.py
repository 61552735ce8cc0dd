"""Follow a run to its end: one look at Datadog, what it showed committed, and when to look next.

A look may be repeated by anybody at any time, so nothing here has to happen once; the token keeps a worker that lost the
run from writing an older look over a newer one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.audit import Act, about
from bot.domain.errors import DatadogError, DatadogForbidden, DatadogLimited, DatadogRefused, UnreadableSecret
from bot.domain.inputs import as_text
from bot.domain.redaction import hide
from bot.domain.runs import Run, RunStep, State
from bot.domain.workflows import CANCELED, IN_PROGRESS, Instance
from bot.use_cases import pace
from bot.use_cases.ports import Accounts, Datadog, Sealer, Store, Writing

OUTPUTS_LIMIT = 1_000_000  # characters of JSON that are kept; Datadog's outputs may be 5 MB
SILENT = timedelta(seconds=30)  # trouble with looking is told when it lasts longer than this


async def follow(run: Run, store: Store, datadog: Accounts, sealer: Sealer) -> bool:
    """Look once at a running run that this process holds. True where it goes on no more: that is told at once.

    Raises NotRecorded where the look could not be committed.
    """
    client = datadog.get(run.account)
    if client is None or run.instance_id is None:
        reason = f"No keys are configured for the Datadog account “{run.account}” any more."
        return await store.write(lambda tx: _trouble(tx, run, reason, pace.LONGEST_LOOK))
    if run.cancel_by and not run.cancel_sent:
        held = await _cancel(run, run.instance_id, client, store)
        if held is None:
            return False
        run = held
    return await _look(run, client, store, sealer)


async def _look(run: Run, client: Datadog, store: Store, sealer: Sealer) -> bool:
    try:
        instance = await client.get_instance(run.datadog_id, run.instance_id or "")
    except DatadogRefused as error:
        words, unseen = str(error), error.status == 404 and not isinstance(error, DatadogForbidden)
        return await store.write(lambda tx: _unseen(tx, run, words) if unseen else _trouble(tx, run, words, None))
    except DatadogError as error:
        words = str(error)
        wait = error.retry_after if isinstance(error, DatadogLimited) else None
        return await store.write(lambda tx: _trouble(tx, run, words, wait))
    hidden = _secrets(run, sealer)
    return await store.write(lambda tx: _seen(tx, run, instance, hidden))


def lose_sight(tx: Writing, run: Run, reason: str) -> Run | None:
    """The end can't be found out any more: the run becomes *unknown*, and is left to people."""
    moved = tx.move_run(run.id, run.token, {State.RUNNING}, State.UNKNOWN, error=reason, due=None)
    if moved is not None:
        tx.record(about(moved, Act.UNKNOWN, error=reason, instance=moved.instance_id))
        tx.announce_run(moved, tx.now)
        tx.announce_end(moved)
    return moved


async def _cancel(run: Run, instance_id: str, client: Datadog, store: Store) -> Run | None:
    """Pass a cancellation on. It may arrive twice, which does no harm; that it worked is seen by looking again."""
    try:
        await client.cancel_instance(run.datadog_id, instance_id)
    except DatadogRefused as error:
        words = str(error)
        return await store.write(lambda tx: _cancel_refused(tx, run, words))
    except DatadogError as error:
        words = str(error)
        wait = error.retry_after if isinstance(error, DatadogLimited) else pace.FIRST_WAIT
        await store.write(lambda tx: _trouble(tx, run, words, wait))
        return None
    return await store.write(lambda tx: _cancel_sent(tx, run))


def _cancel_sent(tx: Writing, run: Run) -> Run | None:
    moved = tx.move_run(run.id, run.token, {State.RUNNING}, State.RUNNING, cancel_sent=True)
    if moved is not None:
        tx.record(about(moved, Act.CANCEL_SENT, instance=moved.instance_id))
    return moved


def _cancel_refused(tx: Writing, run: Run, words: str) -> Run | None:
    moved = tx.move_run(
        run.id,
        run.token,
        {State.RUNNING},
        State.RUNNING,
        cancel_by=None,
        looks=0,
        error=f"It could not be cancelled. {words}",
    )
    if moved is not None:
        tx.record(about(moved, Act.CANCEL_REFUSED, error=words, instance=moved.instance_id))
        tx.announce_run(moved, tx.now)
    return moved


def _seen(tx: Writing, run: Run, instance: Instance, hidden: list[str]) -> bool:
    if instance.ended:
        _ended(tx, run, instance, hidden)
        return True
    age = tx.now - (run.launched_at or run.created_at)
    if age > pace.LONGEST_RUN:
        lose_sight(tx, run, "Datadog ends a run after 7 days, and still calls this one running.")
        return True
    if instance.unfamiliar and age > pace.UNFAMILIAR:
        reason = f"Datadog calls its state “{instance.display_name}”, which the bot does not know."
        lose_sight(tx, run, reason)
        return True
    steps = merge_steps(run, instance, tx.now)
    # A cancellation is watched from when it was asked for as a run is from its start: closely at first.
    since = tx.now - run.cancel_asked_at if run.cancel_by and run.cancel_asked_at else age
    due = tx.now + timedelta(seconds=pace.next_look(since.total_seconds()))
    status = "" if instance.kind == IN_PROGRESS else instance.display_name
    error = None if run.looks else run.error  # a refused cancellation is no trouble with looking, and stays told
    changed = steps != list(run.steps) or status != run.status or error != run.error
    moved = tx.move_run(
        run.id,
        run.token,
        {State.RUNNING},
        State.RUNNING,
        steps=steps,
        status=status,
        error=error,
        due=due,
        looks=0,
    )
    if moved is not None and changed:
        tx.announce_run(moved, tx.now + pace.SETTLE)
    return False


def _ended(tx: Writing, run: Run, instance: Instance, hidden: list[str]) -> None:
    state = State.FAILED
    if instance.succeeded:
        state = State.SUCCEEDED
    elif instance.kind == CANCELED:
        state = State.CANCELLED
    ended_at = instance.ended_at or tx.now
    moved = tx.move_run(
        run.id,
        run.token,
        {State.RUNNING},
        state,
        steps=merge_steps(run, instance, ended_at),
        status=instance.display_name,
        outputs=_kept(hide(dict(instance.outputs), hidden)),
        error=str(hide(instance.error_detail, hidden)) or None,
        due=None,
        sealed=None,
        ended_at=ended_at,
    )
    if moved is not None:
        seconds = round((ended_at - (run.launched_at or run.created_at)).total_seconds(), 1)
        facts: dict[str, Any] = {"state": state.value, "status": instance.display_name, "seconds": max(0.0, seconds)}
        tx.record(about(moved, Act.ENDED, instance=moved.instance_id, error=moved.error, **facts))
        tx.announce_run(moved, tx.now)
        tx.announce_end(moved)


def _unseen(tx: Writing, run: Run, words: str) -> bool:
    """Datadog doesn't know the instance: right after the launch not visible yet, much later gone."""
    age = tx.now - (run.launched_at or run.created_at)
    if age > pace.GONE and run.looks > 3:
        lose_sight(tx, run, f"Datadog does not know this instance any more: {words}")
        return True
    if age <= pace.NOT_VISIBLE_YET:
        due = tx.now + timedelta(seconds=pace.next_look(age.total_seconds()))
        tx.move_run(run.id, run.token, {State.RUNNING}, State.RUNNING, due=due, looks=run.looks + 1)
        return False
    return _trouble(tx, run, words, None)


def _trouble(tx: Writing, run: Run, words: str, wait: float | None) -> bool:
    """A look that showed nothing. Told only when it goes on, as people can do nothing about a hiccup."""
    age = tx.now - (run.launched_at or run.created_at)
    if age > pace.LONGEST_RUN:
        lose_sight(tx, run, f"Datadog could not be asked about it for too long. {words}")
        return True
    pause = min(pace.LONGEST_LOOK, pace.next_look(age.total_seconds()) * 2 ** min(run.looks, 8))
    due = tx.now + timedelta(seconds=max(pause, wait or 0.0))
    lasting = run.looks >= 3 and age > SILENT
    error = words if lasting else run.error
    moved = tx.move_run(run.id, run.token, {State.RUNNING}, State.RUNNING, due=due, looks=run.looks + 1, error=error)
    if moved is not None and error != run.error:
        tx.announce_run(moved, tx.now)
    return False


def merge_steps(run: Run, instance: Instance, now: datetime) -> list[RunStep]:
    """The steps in Datadog's order, with times as the bot saw them: Datadog tells none.

    A step is taken to have begun when the last one before it was over, the first one when the run was launched.
    """
    known = {step.name: step for step in run.steps}
    merged: list[RunStep] = []
    free = run.launched_at or now
    for name, state in instance.steps:
        step = known.get(name) or RunStep(name, state, free)
        step = replace(step, state=state, ended=(step.ended or now) if state != IN_PROGRESS else None)
        free = max(free, step.ended or free)
        merged.append(step)
    return merged


def _secrets(run: Run, sealer: Sealer) -> list[str]:
    if not run.sealed:
        return []
    try:
        return [as_text(value) for value in sealer.unseal(run.sealed).values()]
    except UnreadableSecret:
        return []


def _kept(outputs: dict[str, Any]) -> dict[str, Any] | None:
    if not outputs:
        return None
    size = len(as_text(outputs))
    return outputs if size <= OUTPUTS_LIMIT else {"(not kept)": f"The outputs are {size:,} characters; see Datadog."}
