"""One workspace at work: its database, its people, its messages, its loops, and what answers to what in it.

Nothing here is shared with another workspace but the connections of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from bot.connections import Lines, build_client, build_sealer, build_witnesses, open_store, read_accounts
from bot.datadog.accounts import Accounts
from bot.datadog.sites import Site, run_url
from bot.domain.catalogue import CatalogueEntry
from bot.domain.replicas import Replica
from bot.domain.runs import Run
from bot.domain.workflows import WorkflowDefinition
from bot.evidence.signed_heads import Signer
from bot.policy_file.compile import recompile
from bot.policy_file.entry import entry_text
from bot.settings import Settings
from bot.slack.announcer import Announcer
from bot.slack.app import Listener, Switchboard, Table
from bot.slack.directory import Identity, SlackDirectory
from bot.slack.ids import Action, Event, View
from bot.slack.incoming import Incoming
from bot.slack.listeners.authenticator import code_submitted
from bot.slack.listeners.cancel import cancel_pressed
from bot.slack.listeners.changes import group_changed, person_changed
from bot.slack.listeners.command import command
from bot.slack.listeners.context import Context
from bot.slack.listeners.grants import grant_given, grant_taken_back
from bot.slack.listeners.home import home_opened
from bot.slack.listeners.import_workflow import datadog_options_asked, datadog_workflow_picked
from bot.slack.listeners.options import input_options, workflow_options
from bot.slack.listeners.picker import workflow_picked
from bot.slack.listeners.review import approve_pressed, review_pressed, review_submitted
from bot.slack.listeners.run_again import run_again_pressed
from bot.slack.listeners.submit import form_submitted
from bot.slack.voice import Voice
from bot.storage.one_time_codes import TotpCodes
from bot.storage.store import SqlStore
from bot.supervision import supervise
from bot.use_cases.report_replica import report
from bot.use_cases.telemetry import Telemetry
from bot.use_cases.tend_approvals import tend
from bot.use_cases.tend_runs import RunWorker
from bot.use_cases.watch_definitions import watch
from bot.use_cases.witness_head import Tell, tell_heads

DRAIN = 30.0  # seconds that a stopping bot gives to calls in flight


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything of one workspace."""

    settings: Settings
    store: SqlStore
    datadog: Accounts
    client: AsyncWebClient
    directory: SlackDirectory
    switchboard: Switchboard
    worker: RunWorker
    announcer: Announcer
    witnesses: dict[str, Tell]
    telemetry: Telemetry


@contextlib.asynccontextmanager
async def open_workspace(
    settings: Settings, lines: Lines, site: Site | None, me: Identity | None = None
) -> AsyncIterator[Workspace]:
    """A workspace by its own settings, connected to nothing yet but its database. `me` None: Slack is asked who we are."""
    async with open_store(settings, lines.telemetry) as store:
        load, telemetry = partial(store.read, lambda tx: tx.accounts()), lines.telemetry
        datadog = await read_accounts(settings, lines.datadog, load, site, telemetry)
        client = build_client(settings, lines.slack, telemetry)
        directory = SlackDirectory(client, me)
        sealer, link = build_sealer(settings), partial(_link, datadog)
        announcer = Announcer(store, client, directory, link, settings.audit_channel)
        worker = RunWorker(store, datadog, sealer, recompile, announcer.wake)
        context = Context(
            store=store,
            sealer=sealer,
            codes=TotpCodes(sealer),
            directory=directory,
            voice=Voice(client, lines.slack, telemetry),
            client=client,
            start=worker.start,
            wake=partial(_wake, worker, announcer),
            link=link,
            execute_url=partial(_execute_url, datadog),
            search_datadog=partial(_search_datadog, datadog),
            read_datadog=datadog.own().get_workflow,
            entry_text=entry_text,
            admitted=settings.admitted,
            admins=settings.admins,
            auditors=settings.auditors,
            command=settings.slack_command,
        )
        switchboard = Switchboard(build_table(context), context.voice, telemetry)
        witnesses = build_witnesses(settings, lines)
        yield Workspace(
            settings, store, datadog, client, directory, switchboard, worker, announcer, witnesses, telemetry
        )


@contextlib.asynccontextmanager
async def at_work(workspace: Workspace, describe: Callable[[datetime], Replica]) -> AsyncIterator[None]:
    """Do what is due until left; then drain what is in flight, and tell Slack the last of it."""
    stopping, all_told = asyncio.Event(), asyncio.Event()
    store, worker, announcer = workspace.store, workspace.worker, workspace.announcer
    go = partial(supervise, telemetry=workspace.telemetry)
    loops = [
        asyncio.create_task(go("run worker", worker.tend, stopping)),
        asyncio.create_task(go("approvals", partial(tend, store, announcer.wake), stopping)),
        asyncio.create_task(go("definitions", partial(watch, workspace.datadog, recompile, store), stopping)),
        asyncio.create_task(go("announcer", announcer.announce, all_told)),
        asyncio.create_task(go("replica", partial(report, describe, store), stopping)),
    ]
    if workspace.witnesses:
        sign = Signer(workspace.settings.audit_signing_key.get_secret_value())
        heads = partial(tell_heads, store, sign, workspace.witnesses)
        loops.append(asyncio.create_task(go("witnesses", heads, all_told)))
    try:
        yield
    finally:
        await workspace.switchboard.drain(DRAIN)
        stopping.set()
        worker.wake()
        await worker.drain(DRAIN)
        all_told.set()  # only now: an announcer that looks once more while a call is in flight would miss its end
        announcer.wake()
        await asyncio.gather(*loops)


def build_table(context: Context) -> Table:
    """What answers to what. One look into this table is all the routing there is."""

    def on(listener: Callable[[Context, Incoming], Awaitable[None]]) -> Listener:
        return partial(listener, context)

    return {
        ("command", ""): on(command),
        ("block_actions", Action.PICK_WORKFLOW): on(workflow_picked),
        ("block_actions", Action.INPUT): on(_nothing),
        ("block_actions", Action.SECRET_INPUT): on(_nothing),
        ("block_actions", Action.OPEN_IN_DATADOG): on(_nothing),
        ("block_actions", Action.CANCEL_RUN): on(cancel_pressed),
        ("block_actions", Action.RUN_AGAIN): on(run_again_pressed),
        ("block_suggestion", Action.PICK_WORKFLOW): on(workflow_options),
        ("block_suggestion", Action.INPUT): on(input_options),
        ("block_actions", Action.GRANT_FIELD): on(_nothing),
        ("block_actions", Action.APPROVE): on(approve_pressed),
        ("block_actions", Action.REVIEW): on(review_pressed),
        ("block_actions", Action.REVIEW_REFUSE): on(review_pressed),
        ("block_actions", Action.REVIEW_COMMENT): on(review_pressed),
        ("event_callback", Event.HOME): on(home_opened),
        ("view_submission", View.REVIEW): on(review_submitted),
        ("view_submission", View.AUTHENTICATOR): on(code_submitted),
        ("block_actions", Action.PICK_DATADOG): on(datadog_workflow_picked),
        ("block_suggestion", Action.PICK_DATADOG): on(datadog_options_asked),
        ("block_actions", Action.TAKE_BACK): on(grant_taken_back),
        ("event_callback", Event.GROUP_MEMBERS): on(group_changed),
        ("event_callback", Event.GROUP): on(group_changed),
        ("event_callback", Event.PERSON): on(person_changed),
        ("view_submission", View.GRANTS): on(grant_given),
        ("view_submission", View.FORM): on(form_submitted),
    }


def _wake(worker: RunWorker, announcer: Announcer) -> None:
    worker.wake()
    announcer.wake()


async def _nothing(_: Context, incoming: Incoming) -> None:
    """A press that needs no answer: a link, or a choice that is read when the form is submitted."""
    incoming.reply.ack()


def _link(datadog: Accounts, run: Run) -> str | None:
    client = datadog.get(run.account)
    return run_url(client.site, run.datadog_id, run.instance_id) if client and run.instance_id else None


def _execute_url(datadog: Accounts, entry: CatalogueEntry) -> str:
    client = datadog.get(entry.account)
    return client.execute_url(entry.datadog_id) if client else f"(no keys for the account “{entry.account}”)"


async def _search_datadog(datadog: Accounts, typed: str) -> Sequence[WorkflowDefinition]:
    page = await datadog.own().list_workflows(0, 50, typed, include_unpublished=True)
    return page.workflows
