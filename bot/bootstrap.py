"""The composition root: the only file that knows every concrete class. What it opens it closes, in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket as network
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import __version__
from bot.datadog.accounts import Accounts, Load
from bot.datadog.client import Datadog
from bot.datadog.connections import open_http
from bot.datadog.credentials import Credentials
from bot.datadog.intake import Intake
from bot.datadog.sites import Site, find_site, run_url
from bot.domain.accounts import Account
from bot.domain.catalogue import CatalogueEntry
from bot.domain.errors import InvalidSettings, NotRecorded, SlackUnavailable
from bot.domain.replicas import Replica
from bot.domain.runs import Run
from bot.domain.workflows import WorkflowDefinition
from bot.evidence.delivery import AppendedFile, Webhook
from bot.evidence.signed_heads import Signer
from bot.observability import hide_in_logs
from bot.policy_file.compile import recompile
from bot.policy_file.entry import entry_text
from bot.settings import Settings
from bot.slack.announcer import Announcer
from bot.slack.app import Listener, Switchboard, Table, build_app
from bot.slack.directory import REFUSED_TOKEN, UNREACHABLE, SlackDirectory
from bot.slack.heard import Heard
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
from bot.storage.engine import open_engines
from bot.storage.one_time_codes import TotpCodes
from bot.storage.sealing import FernetSealer
from bot.storage.store import SqlStore
from bot.supervision import supervise
from bot.use_cases.pace import CALL_LIMIT
from bot.use_cases.report_replica import report
from bot.use_cases.tend_approvals import tend
from bot.use_cases.tend_runs import RunWorker
from bot.use_cases.watch_definitions import watch
from bot.use_cases.witness_head import Tell, tell_heads
from bot.web import build_web

DRAIN = 30.0  # seconds that a stopping bot gives to calls in flight

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[SqlStore]:
    """The database, ready to read and write."""
    writer, reader = open_engines(settings.database_url.get_secret_value())
    key = settings.audit_key.get_secret_value().encode() or None
    store = SqlStore(writer, reader, key)
    store.start()
    try:
        yield store
    finally:
        await store.close()


async def no_accounts() -> list[Account]:
    """For those who need the environment's own account only."""
    return []


@contextlib.asynccontextmanager
async def open_datadog(
    settings: Settings, load: Load = no_accounts, site: Site | None = None
) -> AsyncIterator[Accounts]:
    """The clients of all Datadog accounts, over one pool of connections. Raises InvalidSettings for a site it can't use.

    `load` names the accounts beside the environment's own. `site` is given by the sandbox, whose links lead to its own
    Datadog.
    """
    site = site or find_site(settings.dd_site)
    if site.warning:
        log.warning("%s", site.warning)
    async with open_http() as http:
        base_url = settings.dd_api_url or site.api_url
        own = Datadog(_credentials(settings), base_url, http, site, total_timeout=CALL_LIMIT)
        accounts = Accounts(own, http, os.environ, settings.dd_api_url, load, hide_in_logs)
        await accounts.refresh()
        yield accounts


def build_sealer(settings: Settings) -> FernetSealer:
    """ENCRYPTION_KEY (several, newest first, for rotation), else a key derived from a secret that every replica has."""
    keys = [key for key in settings.encryption_key.get_secret_value().replace(",", " ").split() if key]
    fallback = settings.slack_signing_secret.get_secret_value() or settings.slack_bot_token.get_secret_value()
    return FernetSealer(keys or [fallback])


def build_client(settings: Settings, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Slack's Web API over one shared session. Nothing is repeated by itself: the outbox does that, and knows what it sent."""
    return AsyncWebClient(
        token=settings.slack_bot_token.get_secret_value(),
        base_url=settings.slack_api_url,
        session=session,
        timeout=15,
        retry_handlers=[],
    )


@contextlib.asynccontextmanager
async def open_witnesses(settings: Settings, session: aiohttp.ClientSession) -> AsyncIterator[dict[str, Tell]]:
    """Whom the head of the trail is told to, by the names that the database knows them by."""
    witnesses: dict[str, Tell] = {}
    if settings.audit_witness_path:
        witnesses["path"] = AppendedFile(Path(settings.audit_witness_path))
    if url := settings.audit_witness_url.get_secret_value():
        witnesses["url"] = Webhook(session, url)
    async with open_http() as http:
        if kind := settings.audit_witness_datadog:
            key = settings.dd_api_key.get_secret_value()
            witnesses["datadog"] = Intake(http, find_site(settings.dd_site), key, settings.dd_api_url, kind)
        yield witnesses


@dataclass(frozen=True, slots=True)
class Bot:
    """Everything that runs in one process."""

    store: SqlStore
    datadog: Accounts
    app: AsyncApp
    directory: SlackDirectory
    switchboard: Switchboard
    worker: RunWorker
    announcer: Announcer
    web: web.Application
    client: AsyncWebClient
    heard: Heard
    witnesses: dict[str, Tell]


@contextlib.asynccontextmanager
async def open_bot(settings: Settings, site: Site | None = None) -> AsyncIterator[Bot]:
    """The whole bot, connected to nothing yet but its database."""
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings))
        datadog = await stack.enter_async_context(
            open_datadog(settings, lambda: store.read(lambda tx: tx.accounts()), site)
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        witnesses = await stack.enter_async_context(open_witnesses(settings, session))
        client = build_client(settings, session)
        directory = SlackDirectory(client)
        sealer, link = build_sealer(settings), partial(_link, datadog)
        announcer = Announcer(store, client, directory, link, settings.audit_channel)
        worker = RunWorker(store, datadog, sealer, recompile, announcer.wake)
        context = Context(
            store=store,
            sealer=sealer,
            codes=TotpCodes(sealer),
            directory=directory,
            voice=Voice(client, session),
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
        heard = Heard()
        switchboard = Switchboard(build_table(context), context.voice, heard)
        # Bolt wants a signing secret even where nothing is signed; in Socket Mode no request comes by HTTP.
        secret = settings.slack_signing_secret.get_secret_value() or "unused in Socket Mode"
        app = build_app(client, secret, directory, switchboard)
        takes_events = not settings.socket_mode
        application = build_web(app, partial(_missing, store, directory), heard, takes_events=takes_events)
        yield Bot(store, datadog, app, directory, switchboard, worker, announcer, application, client, heard, witnesses)


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


@contextlib.asynccontextmanager
async def running(bot: Bot, settings: Settings) -> AsyncIterator[int]:
    """Serve until left; then stop taking work, drain what is in flight, and tell Slack the last of it. Yields the port."""
    stopping, all_told = asyncio.Event(), asyncio.Event()
    loops = [
        asyncio.create_task(supervise("run worker", bot.worker.tend, stopping)),
        asyncio.create_task(supervise("approvals", partial(tend, bot.store, bot.announcer.wake), stopping)),
        asyncio.create_task(supervise("definitions", partial(watch, bot.datadog, recompile, bot.store), stopping)),
        asyncio.create_task(supervise("announcer", bot.announcer.announce, all_told)),
        asyncio.create_task(supervise("replica", partial(report, _describe(bot, settings), bot.store), stopping)),
    ]
    if bot.witnesses:
        sign = Signer(settings.audit_signing_key.get_secret_value())
        heads = partial(tell_heads, bot.store, sign, bot.witnesses)
        loops.append(asyncio.create_task(supervise("witnesses", heads, all_told)))
    runner = web.AppRunner(bot.web, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port)
    await site.start()
    socket: AsyncSocketModeHandler | None = None
    connecting: asyncio.Task[None] | None = None
    try:
        if settings.socket_mode:
            socket = await _open_socket(bot, settings.slack_app_token.get_secret_value())
            # It tries until it succeeds, so a Slack that is away at the start is waited for beside the rest.
            connecting = asyncio.create_task(socket.connect_async())  # type: ignore[no-untyped-call]  # Bolt's
        yield int(runner.addresses[0][1])
    finally:
        await site.stop()
        if socket is not None and connecting is not None:
            connecting.cancel()
            await socket.close_async()  # type: ignore[no-untyped-call]  # as above
        await bot.switchboard.drain(DRAIN)
        stopping.set()
        bot.worker.wake()
        await bot.worker.drain(DRAIN)
        all_told.set()  # only now: an announcer that looks once more while a call is in flight would miss its end
        bot.announcer.wake()
        await asyncio.gather(*loops)
        await runner.cleanup()


async def _open_socket(bot: Bot, token: str) -> AsyncSocketModeHandler:
    """A Socket Mode connection about to be made. Raises InvalidSettings where Slack refuses the token."""
    socket = AsyncSocketModeHandler(bot.app, token, web_client=bot.client)
    socket.client.message_listeners.append(bot.heard.socket_message)
    try:
        answer = await bot.client.apps_connections_open(app_token=token)
    except SlackApiError as error:
        if error.response.get("error") in REFUSED_TOKEN:
            raise InvalidSettings(
                "Slack refuses SLACK_APP_TOKEN. Make one at Basic Information, App-Level Tokens, with connections:write."
            ) from None
    except UNREACHABLE:
        log.warning("Slack does not answer; the socket is opened as soon as it does")
    else:
        socket.client.wss_uri = answer[
            "url"
        ]  # Slack gives out few of these a minute, so it is used and not thrown away
    return socket


def _describe(bot: Bot, settings: Settings) -> Callable[[datetime], Replica]:
    """What this process says of itself at a moment of the database's clock."""
    name, host, began = uuid.uuid4().hex, network.gethostname()[:255], datetime.now(UTC)

    def describe(now: datetime) -> Replica:
        heard, ahead = bot.heard, now - datetime.now(UTC)
        return Replica(
            id=name,
            host=host,
            version=__version__,
            socket_mode=settings.socket_mode,
            started_at=began + ahead,
            seen_at=now,
            heard_at=heard.request_at and heard.request_at + ahead,
            command=heard.command,
            refused=heard.refused,
            refused_at=heard.refused_at and heard.refused_at + ahead,
            connections=heard.connections,
            connected_at=heard.connected_at and heard.connected_at + ahead,
            app_id=heard.app_id,
        )

    return describe


async def _missing(store: SqlStore, directory: SlackDirectory) -> str | None:
    try:
        await store.read(lambda tx: tx.policy_version())
    except NotRecorded:
        return "the database can't be read"
    try:
        await directory.installation()
    except SlackUnavailable:
        return "Slack does not answer"
    return None


def _wake(worker: RunWorker, announcer: Announcer) -> None:
    worker.wake()
    announcer.wake()


async def _nothing(_: Context, incoming: Incoming) -> None:
    """A press that needs no answer: a link, or a choice that is read when the form is submitted."""
    incoming.reply.ack()


def _credentials(settings: Settings) -> Credentials:
    return Credentials(
        api_key=settings.dd_api_key.get_secret_value(),
        app_key=settings.dd_app_key.get_secret_value(),
        access_token=settings.dd_access_token.get_secret_value(),
    )


def _link(datadog: Accounts, run: Run) -> str | None:
    client = datadog.get(run.account)
    return run_url(client.site, run.datadog_id, run.instance_id) if client and run.instance_id else None


def _execute_url(datadog: Accounts, entry: CatalogueEntry) -> str:
    client = datadog.get(entry.account)
    return client.execute_url(entry.datadog_id) if client else f"(no keys for the account “{entry.account}”)"


async def _search_datadog(datadog: Accounts, typed: str) -> Sequence[WorkflowDefinition]:
    page = await datadog.own().list_workflows(0, 50, typed, include_unpublished=True)
    return page.workflows
