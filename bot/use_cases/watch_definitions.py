"""Notice that a workflow has changed in Datadog: right before a launch, and from time to time for the whole catalogue.

The catalogue then takes the new definition over, with what the policy file says of it, so that a form drawn from the old
one is refused, and the next one shows the new.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace

from bot.domain.audit import Act, Entry
from bot.domain.catalogue import CatalogueEntry
from bot.domain.errors import DatadogError, DatadogRefused, NotRecorded
from bot.domain.plan import entry_changes
from bot.domain.workflows import WorkflowDefinition
from bot.use_cases import pace
from bot.use_cases.ports import Accounts, Recompile, Store, Writing
from bot.use_cases.telemetry import COME_ROUND

GONE = "it is not in Datadog any more"

log = logging.getLogger(__name__)


async def drift_of(entry: CatalogueEntry, datadog: Accounts) -> str | None:
    """How the workflow differs in Datadog from what the catalogue has; None: it doesn't."""
    client = datadog.get(entry.account)
    if client is None:
        return f"no keys are configured for the account “{entry.account}”"
    try:
        definition = await client.get_workflow(entry.datadog_id)
    except DatadogError as error:
        return f"it can't be read: {error}"
    if not definition.published:
        return "it is not published"
    if not definition.has_api_trigger:
        return "it has no API trigger"
    if not entry.datadog_hash:
        return "it could not be read when the policy was applied; apply it again"
    return "its definition has changed" if definition.definition_hash != entry.datadog_hash else entry.unfit or None


async def take_over(entry: CatalogueEntry, definition: WorkflowDefinition, recompile: Recompile, store: Store) -> str:
    """Have the catalogue take a changed definition over. Returns what has changed, in words. Raises NotRecorded."""
    changed = recompile(entry, definition)
    words = changed.unfit or "; ".join(entry_changes(entry, changed)) or "its steps have changed"
    await _note(entry, changed, words, store)
    return words


async def watch(datadog: Accounts, recompile: Recompile, store: Store, stopping: asyncio.Event) -> None:
    """Compare the catalogue with Datadog from time to time until `stopping` is set. May be called again where it failed."""
    while not stopping.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pace.DEFINITIONS)
            return
        try:
            await datadog.refresh()  # an account may have another site or other keys by now
            for entry in await store.read(lambda tx: tx.entries()):
                await _compare(entry, datadog, recompile, store)
            COME_ROUND.get()()
        except NotRecorded as error:
            log.warning("the catalogue could not be compared with Datadog: %s", error.cause)


async def _compare(entry: CatalogueEntry, datadog: Accounts, recompile: Recompile, store: Store) -> None:
    client = datadog.get(entry.account)
    if client is None or not entry.datadog_hash:
        return
    try:
        definition = await client.get_workflow(entry.datadog_id)
    except DatadogRefused as error:
        if error.status == 404 and entry.unfit != GONE:
            await _note(entry, replace(entry, unfit=GONE), GONE, store)
        log.warning("workflow %s can't be read from Datadog: %s", entry.name, error)
    except DatadogError as error:
        log.info("workflow %s was not compared: %s", entry.name, error)
    else:
        if recompile(entry, definition) != entry:
            words = await take_over(entry, definition, recompile, store)
            log.warning("workflow %s has changed in Datadog: %s", entry.name, words)


async def _note(entry: CatalogueEntry, changed: CatalogueEntry, words: str, store: Store) -> None:
    def work(tx: Writing) -> None:
        if tx.replace_entry(changed, entry.definition_hash):
            facts = {"changed": words, "definition": changed.definition_hash, "before": entry.definition_hash}
            tx.record(Entry(Act.DEFINITION_CHANGED, team_id="", user_id="", workflow=entry.name, facts=facts))

    await store.write(work)
