"""Launch a run: once or not at all.

*launching* is committed right before the call. Whatever happens after that commit, the run is never sent again unless
Datadog surely started nothing (a 429, or a connection that was never made). A lost answer ends as *unknown*.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bot.domain.approvals import ApprovalState, binding, still_needed
from bot.domain.audit import Act, about
from bot.domain.catalogue import CatalogueEntry
from bot.domain.errors import (
    DatadogLimited,
    DatadogRefused,
    DatadogUnreachable,
    OutcomeUnknown,
    UnreadableSecret,
)
from bot.domain.runs import Run, State
from bot.use_cases import pace
from bot.use_cases.persist import persist
from bot.use_cases.ports import Accounts, Datadog, Recompile, Sealer, Store, Writing
from bot.use_cases.watch_definitions import take_over

TAMPERED = "It is not what was approved any more: it was changed in the database. Nothing was started."
NO_KEYS = "No keys are configured for the Datadog account “{}”. Nothing was started."
INTERRUPTED = "The bot was interrupted while Datadog was being called."

log = logging.getLogger(__name__)


async def launch(
    run: Run,
    store: Store,
    datadog: Accounts,
    sealer: Sealer,
    recompile: Recompile,
    entry: CatalogueEntry | None = None,
) -> Run | None:
    """Launch a run that this process holds, with its workflow as just read, and return it as it is now.

    None where another worker has taken it over. Raises NotRecorded when *launching* was not committed, so nothing was sent.
    """
    client = datadog.get(run.account)
    if client is None:  # perhaps a policy has just brought it
        await datadog.refresh()
        client = datadog.get(run.account)
    if client is None:
        return await store.write(lambda tx: _not_started(tx, run, NO_KEYS.format(run.account)))
    try:
        payload = {**run.inputs, **(sealer.unseal(run.sealed) if run.sealed else {})}
    except UnreadableSecret as error:
        reason = str(error)
        return await store.write(lambda tx: _not_started(tx, run, reason))
    if not _as_approved(run, payload, sealer):
        return await store.write(lambda tx: _not_started(tx, run, TAMPERED))
    try:
        changed = await _changed(run, entry, client, recompile, store)
    except (DatadogLimited, DatadogUnreachable) as error:
        words, wait = str(error), _wait(error, run.looks + 1)
        return await store.write(lambda tx: _postpone(tx, run, words, wait))
    except DatadogRefused as error:
        changed = str(error)
    if changed is not None:
        words = changed
        return await store.write(lambda tx: _not_started(tx, run, words))
    before = time.monotonic()
    held = await store.write(lambda tx: _commit_launching(tx, run))
    if held is None:
        return None
    if time.monotonic() - before > pace.LEASE.total_seconds() - 2 * pace.CALL_LIMIT:
        # The process was paused so long that the lease may be over before Datadog answers: leave it to the next worker.
        log.warning("run %s: lease nearly over before the call, nothing sent", run.id)
        return await persist(store, lambda tx: _postpone(tx, held, "The bot was paused before the call.", 0.0))
    return await _call(held, payload, client, store)


def _as_approved(run: Run, payload: Mapping[str, Any], sealer: Sealer) -> bool:
    """Whether what would be sent is what was approved, to the letter; also where somebody has edited the rows since."""
    if not run.bound_to:
        return True
    sealed = set(payload) - set(run.inputs) == set(run.secrets)
    same = sealed and all(sealer.is_fingerprint(seen, payload[name]) for name, seen in run.secrets.items())
    return same and binding(run) == run.bound_to


def _is_approved(tx: Writing, run: Run) -> bool:
    """Whether the approval that a run needs was given, for exactly this run; also where its state was edited since."""
    standing = tx.standing(run.id)
    if standing is None:
        return not run.bound_to
    approval = standing.approval
    if approval.bound_to != run.bound_to:
        return False
    if approval.state is ApprovalState.APPROVED:
        return not still_needed(approval.quorums, [one for one in standing.reviews if one.bound_to == run.bound_to])
    return approval.state in (ApprovalState.REVIEW_OPEN, ApprovalState.REVIEWED)


def lost_launch(tx: Writing, run: Run, reason: str = INTERRUPTED) -> Run | None:
    """The answer is lost, and the run may have started: it becomes *unknown*, and Datadog is searched for it."""
    due = tx.now + timedelta(seconds=pace.SEARCHES[0])
    moved = tx.move_run(run.id, run.token, {State.LAUNCHING}, State.UNKNOWN, error=reason, due=due, looks=0)
    if moved is not None:
        tx.record(about(moved, Act.UNKNOWN, error=reason))
        tx.announce_run(moved, tx.now)
        tx.announce_end(moved)
    return moved


async def _changed(
    run: Run, entry: CatalogueEntry | None, client: Datadog, recompile: Recompile, store: Store
) -> str | None:
    """What has changed about the workflow since the run was asked for; None: nothing, so what was asked for is what runs.

    Raises DatadogError where the definition can't be read: then it isn't known, and nothing is started.
    """
    if entry is None:
        entry = await store.read(lambda tx: tx.entry(run.workflow))
    if entry is None or not entry.datadog_hash:
        return None
    again = "Nothing was started. Run it again to see its form as it is now."
    if (entry.definition_hash, entry.account) != (run.definition_hash, run.account):
        return f"The workflow or its policy was changed after this was asked for. {again}"
    definition = await client.get_workflow(run.datadog_id)
    if definition.definition_hash == entry.datadog_hash:
        return None
    words = await take_over(entry, definition, recompile, store)
    return f"The workflow was changed in Datadog after its form was opened: {words}. {again}"


async def _call(run: Run, payload: Mapping[str, Any], client: Datadog, store: Store) -> Run | None:
    try:
        instance_id = await client.execute(run.datadog_id, payload)
    except (DatadogLimited, DatadogUnreachable) as error:
        words, wait = str(error), _wait(error, run.looks + 1)
        return await persist(store, lambda tx: _postpone(tx, run, words, wait))
    except DatadogRefused as error:
        words = str(error)
        return await persist(store, lambda tx: _not_started(tx, run, words))
    except OutcomeUnknown as error:
        words = str(error)
        return await persist(store, lambda tx: lost_launch(tx, run, words))
    return await persist(store, lambda tx: _started(tx, run, instance_id))


def _commit_launching(tx: Writing, run: Run) -> Run | None:
    if not _is_approved(tx, run):
        _not_started(tx, run, TAMPERED)
        return None
    held = tx.move_run(
        run.id,
        run.token,
        {State.READY},
        State.LAUNCHING,
        attempts=run.attempts + 1,
        due=tx.now + pace.LEASE,
        launched_at=tx.now,
    )
    if held is not None:
        what = {"account": held.account, "datadog_workflow": held.datadog_id, "definition": held.definition_hash}
        tx.record(about(held, Act.LAUNCHING, attempt=held.attempts, policy=held.policy_version, **what))
    return held


def _started(tx: Writing, run: Run, instance_id: str) -> Run | None:
    due = tx.now + timedelta(seconds=pace.SHORTEST_LOOK)
    moved = tx.move_run(
        run.id,
        run.token,
        {State.LAUNCHING, State.UNKNOWN},
        State.RUNNING,
        instance_id=instance_id,
        due=due,
        looks=0,
        error=None,
    )
    if moved is None:
        # Somebody else has found out, or decided, since: the record keeps what Datadog answered all the same.
        tx.record(about(run, Act.LAUNCHED, instance=instance_id, late=True))
        return None
    tx.record(about(moved, Act.LAUNCHED, instance=instance_id))
    tx.announce_run(moved, tx.now)
    tx.update_asks(moved)
    return moved


def _not_started(tx: Writing, run: Run, error: str) -> Run | None:
    moved = tx.move_run(
        run.id,
        run.token,
        {State.READY, State.LAUNCHING, State.UNKNOWN},
        State.NOT_STARTED,
        error=error,
        due=None,
        sealed=None,
        ended_at=tx.now,
    )
    if moved is not None:
        tx.record(about(moved, Act.LAUNCH_REFUSED, error=error))
        tx.announce_run(moved, tx.now)
        tx.announce_end(moved)
    return moved


def _postpone(tx: Writing, run: Run, error: str, wait: float) -> Run | None:
    if tx.now + timedelta(seconds=wait) - (run.accepted_at or run.created_at) > pace.PATIENCE:
        return _not_started(tx, run, f"{error} The bot has stopped trying.")
    due = tx.now + timedelta(seconds=wait)
    moved = tx.move_run(
        run.id,
        run.token,
        {State.LAUNCHING, State.READY},
        State.READY,
        error=error,
        due=due,
        looks=run.looks + 1,
    )
    if moved is None:
        return None
    tx.record(about(moved, Act.LAUNCH_POSTPONED, error=error, seconds=round(wait, 1)))
    if moved.cancel_by:
        return cancelled_before_start(tx, moved)
    tx.announce_run(moved, tx.now)
    return moved


def cancelled_before_start(tx: Writing, run: Run) -> Run | None:
    """A run that was waiting to be launched will not be: its token is this moment's, so no holder can launch it."""
    moved = tx.move_run(
        run.id, run.token, {State.READY}, State.CANCELLED, due=None, sealed=None, ended_at=tx.now, error=None
    )
    if moved is not None:
        tx.record(about(moved, Act.ENDED, state=moved.state.value, status="cancelled before it was started"))
        tx.announce_run(moved, tx.now)
        tx.announce_end(moved)
    return moved


def _wait(error: DatadogLimited | DatadogUnreachable, tries: int) -> float:
    told = error.retry_after if isinstance(error, DatadogLimited) else None
    return told if told is not None else min(pace.LONGEST_WAIT, pace.FIRST_WAIT * 2 ** min(10, tries - 1))
