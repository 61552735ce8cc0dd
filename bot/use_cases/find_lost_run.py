"""Find out about a run whose answer was lost, by looking for it among the workflow's instances in Datadog.

It is taken for found only where nothing else can be meant: one instance, started through the API in the moments after the
call, that belongs to no other run, with no other lost run it could belong to. Never is anything sent again.
"""

from __future__ import annotations

from datetime import timedelta

from bot.domain.audit import Act, about
from bot.domain.errors import DatadogError
from bot.domain.runs import Run, State
from bot.domain.workflows import Instance
from bot.use_cases import pace
from bot.use_cases.ports import Accounts, Store, Writing

PAGE = 100  # instances looked through; Datadog lists the newest first and 100 at the most


async def find_lost_run(run: Run, store: Store, datadog: Accounts) -> None:
    """Search once for an *unknown* run that this process holds. Raises NotRecorded where that could not be committed."""
    client = datadog.get(run.account)
    if client is None or run.launched_at is None:
        await store.write(lambda tx: _not_found(tx, run, "No keys are configured for its Datadog account any more."))
        return
    try:
        page = await client.list_instances(run.datadog_id, PAGE, 0)
    except DatadogError as error:
        words = f"Datadog could not be searched for it: {error}"
        await store.write(lambda tx: _not_found(tx, run, words))
        return
    from_, until = run.launched_at - pace.CLOCK_SKEW, run.launched_at + pace.START_WINDOW
    found = [one for one in page.instances if one.source_api and one.started_at and from_ <= one.started_at <= until]
    await store.write(lambda tx: _consider(tx, run, found))


def _consider(tx: Writing, run: Run, found: list[Instance]) -> None:
    # Rivals first: on Postgres each statement sees what is committed by then. A launch whose answer is noted between the
    # two is a rival still, and its instance taken; the other way round it was neither, and this run got its instance.
    rivals = tx.lost_rivals(run, pace.START_WINDOW + pace.CLOCK_SKEW)
    taken = tx.instances_taken([instance.id for instance in found])
    free = [instance for instance in found if instance.id not in taken]
    if len(free) == 1 and not rivals:
        _found(tx, run, free[0].id)
    elif free:
        words = f"Datadog has {len(free)} instance(s) that may be it, and {rivals + 1} run(s) that they may belong to."
        _not_found(tx, run, words)
    else:
        _not_found(tx, run, "Datadog lists no instance that may be it.")


def _found(tx: Writing, run: Run, instance_id: str) -> None:
    moved = tx.move_run(
        run.id,
        run.token,
        {State.UNKNOWN},
        State.RUNNING,
        instance_id=instance_id,
        due=tx.now,
        looks=0,
        error=None,
    )
    if moved is not None:
        how = "the only instance that started then, through the API, and belongs to no other run"
        tx.record(about(moved, Act.RESOLVED, instance=instance_id, how=how))
        tx.announce_run(moved, tx.now)
        tx.update_asks(moved)


def _not_found(tx: Writing, run: Run, words: str) -> None:
    looks = run.looks + 1
    last = looks >= len(pace.SEARCHES)
    due = None if last else tx.now + timedelta(seconds=pace.SEARCHES[looks])
    # Its secrets stay sealed: should a person find it, they are to be hidden in what it returns.
    moved = tx.move_run(run.id, run.token, {State.UNKNOWN}, State.UNKNOWN, due=due, looks=looks, status=words)
    if moved is not None and last:
        tx.record(about(moved, Act.SEARCH_ENDED, error=words, searches=looks))
    if moved is not None and (last or words != run.status):
        tx.announce_run(moved, tx.now)
