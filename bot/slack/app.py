"""The switchboard: one table from what Slack sends to the function that answers it.

It is Bolt's last middleware, not a listener for each thing: Bolt looks through its listeners one by one, 9 µs each, and
its runner polls every 10 ms for the ack. Here a request is one look into a table, and its answer one event.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.logger.messages import (
    info_default_oauth_settings_loaded,
    warning_client_prioritized_and_token_skipped,
)
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import NotRecorded, Refused, SlackUnavailable, WorkflowBotError
from bot.slack.blocks.modals import notice, recording
from bot.slack.blocks.text import escape
from bot.slack.directory import UNREACHABLE, Identity
from bot.slack.error_text import slack_away, slack_refused, unexpected
from bot.slack.heard import Heard
from bot.slack.ids import GONE
from bot.slack.incoming import ACK_LIMIT, Incoming, Reply, read_incoming
from bot.slack.voice import Voice
from bot.use_cases.telemetry import REQUEST, Telemetry, Work

Listener = Callable[[Incoming], Awaitable[None]]
Table = Mapping[tuple[str, str], Listener]

# Under these names they go along in Bolt's context: the workspace's switchboard, and the seconds that finding it took.
SWITCHBOARD, SPENT = "workflow_bot_switchboard", "workflow_bot_spent"

MISREAD = {info_default_oauth_settings_loaded(), warning_client_prioritized_and_token_skipped()}

log = logging.getLogger(__name__)


class Switchboard:
    """Finds the listener, gives it its time, and answers for it when that is over. Keeps its work so that it can be drained."""

    def __init__(self, table: Table, voice: Voice, telemetry: Telemetry) -> None:
        self._table = table
        self._voice = voice
        self._telemetry = telemetry
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, body: Mapping[str, Any], spent: float = 0.0) -> BoltResponse:
        """What Slack is answered, within its time, of which so many seconds are spent."""
        began, key = time.perf_counter(), address(body)
        listener = self._table.get(key)
        if listener is None:
            self._telemetry.answered(key[0], "nobody", time.perf_counter() - began)
            return _answer_for_nobody(key)
        incoming = read_incoming(body, Reply())
        task = asyncio.create_task(self._work(key, listener, incoming))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        limit = asyncio.get_running_loop().call_later(ACK_LIMIT - spent, _answer_late, incoming.reply, key[0])
        try:
            answer = await incoming.reply.answered
        finally:
            limit.cancel()
        outcome = "late" if incoming.reply.is_late else "in time"
        self._telemetry.answered(key[0], outcome, time.perf_counter() - began)
        return answer

    async def drain(self, seconds: float) -> None:
        """Wait for the work that has been acknowledged already; what isn't done by then is cancelled."""
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()

    async def _work(self, key: tuple[str, str], listener: Listener, incoming: Incoming) -> None:
        REQUEST.set(incoming.request_id)  # of this task, and of all that come from it
        with self._telemetry.request(*key) as work:
            await self._run(listener, incoming, work)

    async def _run(self, listener: Listener, incoming: Incoming, work: Work) -> None:
        try:
            await listener(incoming)
        except WorkflowBotError as error:
            work.outcome = "explained"
            await self._tell(incoming, f":warning: {escape(str(error))}")
        except SlackApiError as error:
            work.outcome = "refused by slack"
            reason = error.response.get("error")  # none in what a server in trouble answers, a page perhaps
            log.error("Slack refused a call in request %s: %s", incoming.request_id, reason or "no answer of its API")
            words = slack_refused(reason, incoming.request_id) if reason else slack_away(incoming.request_id)
            await self._tell(incoming, words)
        except UNREACHABLE as error:
            work.outcome = "slack unreachable"
            log.error("Slack could not be reached in request %s: %s", incoming.request_id, type(error).__name__)
            await self._tell(incoming, slack_away(incoming.request_id))
        except Exception:  # a surprise: the person hears of it, and the log holds it whole
            work.outcome = "error"
            log.exception("unexpected error in request %s", incoming.request_id)
            await self._tell(incoming, unexpected(incoming.request_id))
        finally:
            incoming.reply.ack()

    async def _tell(self, incoming: Incoming, words: str) -> None:
        try:
            await self._voice.tell(incoming, "Nothing was done", words)
        except (SlackApiError, *UNREACHABLE) as error:
            log.warning("the failure of request %s could not be told: %s", incoming.request_id, type(error).__name__)
        except Exception:  # nothing is left to tell it with but the log
            log.exception("could not tell a person about the failure of request %s", incoming.request_id)


@dataclass(frozen=True, slots=True)
class Admitted:
    """Where a request goes, and who the bot is there; nobody, where it goes no further than a refusal."""

    switchboard: Switchboard
    me: Identity | None = None
    token: str | None = None


# Who a request is for, as Bolt reads it from the payload. Raises SlackUnavailable.
Admit = Callable[[AsyncBoltContext], Awaitable[Admitted]]
# Slack says that the app, or its token, is gone; for these Bolt asks nobody.
Gone = Callable[[Mapping[str, Any]], Awaitable[None]]


class Authorize(AsyncAuthorize):
    """Bolt's question who we are where a request comes from. A plain function would be handed whatever it names as its
    arguments, which costs more than the answer."""

    def __init__(self, admit: Admit) -> None:
        self._admit = admit

    async def __call__(self, *, context: AsyncBoltContext, **_: Any) -> AuthorizeResult | None:
        """None where that can't be known at the moment."""
        context["response_url"] = None  # to which Bolt would post where nobody is admitted, wherever that leads
        began = time.perf_counter()
        try:
            admitted = await self._admit(context)
        except SlackUnavailable:
            log.error("a request could not be authorized: Slack does not answer auth.test")
            return None
        context[SWITCHBOARD], context[SPENT] = admitted.switchboard, time.perf_counter() - began
        me = admitted.me
        return AuthorizeResult(
            enterprise_id=me.enterprise_id if me else None,
            team_id=me.team_id if me else None,
            bot_user_id=me.bot_user_id if me else None,
            bot_id=me.bot_id if me else None,
            bot_token=admitted.token,
        )


class LastMiddleware(AsyncMiddleware):
    """Hands a request that Bolt has checked to the switchboard of its workspace."""

    def __init__(self, heard: Heard, gone: Gone | None) -> None:
        self._heard = heard
        self._gone = gone

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,
        next: Callable[[], Awaitable[Any]],  # noqa: A002  # Bolt's name
    ) -> BoltResponse:
        """Bolt's door to a middleware. Never calls `next`: nothing comes after."""
        self._heard.request(req.body)
        switchboard: Switchboard | None = req.context.get(SWITCHBOARD)
        if switchboard is not None:
            return await switchboard.answer(req.body, req.context[SPENT])
        if self._gone is not None and address(req.body)[1] in GONE:
            try:
                await self._gone(req.body)
            except (NotRecorded, SlackUnavailable):
                return BoltResponse(status=503, body="")  # Slack tells it again (Slack docs: apis/events-api)
            return BoltResponse(status=200, body="")
        return _answer_for_nobody(address(req.body))


def refusing(words: str, voice: Voice, telemetry: Telemetry, *, for_now: bool) -> Switchboard:
    """A switchboard that tells everybody the same. `for_now`: Slack is to send events again, as it does after a failure."""

    async def refuse(_: Incoming) -> None:
        raise Refused(words)

    async def later(incoming: Incoming) -> None:
        incoming.reply.fail()

    return Switchboard(_ByKind(refuse, later if for_now else None), voice, telemetry)


class _ByKind(dict[tuple[str, str], Listener]):
    """A table of one listener for whatever a person did, and one for events. What asks for options has none."""

    def __init__(self, deed: Listener, event: Listener | None) -> None:
        super().__init__()
        self._deed = deed
        self._event = event

    def get(self, key: Any, default: Any = None) -> Any:
        """The listener for each kind of payload."""
        match key[0]:
            case "event_callback":
                return self._event or default
            case "block_suggestion" | "":
                return default
            case _:
                return self._deed


def address(body: Mapping[str, Any]) -> tuple[str, str]:
    """The kind of a payload and the id in it: what the table is looked up by."""
    if "command" in body:
        return "command", ""
    kind = str(body.get("type", ""))
    match kind:
        case "block_actions":
            actions = body.get("actions") or [{}]
            return kind, str(actions[0].get("action_id", ""))
        case "block_suggestion":
            return kind, str(body.get("action_id", ""))
        case "view_submission" | "view_closed":
            return kind, str((body.get("view") or {}).get("callback_id", ""))
        case "event_callback":
            return kind, str((body.get("event") or {}).get("type", ""))
        case _:
            return kind, str(body.get("callback_id", ""))


def build_app(client: AsyncWebClient, admit: Admit, heard: Heard, gone: Gone | None) -> AsyncApp:
    """Bolt with everything it reads from the environment given explicitly, and our own authorize: no call per request."""

    logging.getLogger("slack_bolt.AsyncApp").addFilter(_is_true_here)
    app = AsyncApp(
        name="workflow-bot",
        # Without the token: Bolt would warn that it ignores one, as `authorize` tells it.
        client=AsyncWebClient(base_url=client.base_url, session=client.session),
        signing_secret="",
        request_verification_enabled=False,  # the HTTP door has done it; over a socket there is nothing to verify
        authorize=Authorize(admit),  # type: ignore[arg-type]  # Bolt's type has a plain function, its code takes either
        user_facing_authorize_error_message="The bot can't reach Slack at the moment. Try again in a moment.",
    )
    app.use(LastMiddleware(heard, gone))
    return app


def _is_true_here(record: logging.LogRecord) -> bool:
    """Bolt looks into the environment by itself, and takes what it finds for what it is to use."""
    return record.getMessage() not in MISREAD


def _answer_late(reply: Reply, kind: str) -> None:
    match kind:
        case "view_submission":
            reply.late({"response_action": "update", "view": recording()})
        case "block_suggestion":
            reply.late({"options": []})
        case _:
            reply.late("")


def _answer_for_nobody(key: tuple[str, str]) -> BoltResponse:
    kind, name = key
    log.warning("nothing answers to %s %s", kind or "a request without a type", name[:80])
    if kind == "block_suggestion":
        return BoltResponse(status=200, body={"options": []})
    if kind == "view_submission":
        view = notice("Out of date", "This window is from another version of the bot. Close it and start again.")
        return BoltResponse(status=200, body={"response_action": "update", "view": view})
    return BoltResponse(status=200 if kind else 400, body="")
