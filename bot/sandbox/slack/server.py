"""The local Slack as one thing to start and stop: put together here, served on one port of the loopback interface.

Only wiring and the switches a test or launcher needs; every rule of Slack lives in its own file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from bot.sandbox.slack.answers import Answers
from bot.sandbox.slack.api_methods import Site
from bot.sandbox.slack.client import Client
from bot.sandbox.slack.delivery import Ack, Delivered, Delivery
from bot.sandbox.slack.faults import Faults
from bot.sandbox.slack.file_methods import receive_upload
from bot.sandbox.slack.page_api import PageApi, SwitchableFaults
from bot.sandbox.slack.payloads import Payloads
from bot.sandbox.slack.people import Person
from bot.sandbox.slack.posting import Posting
from bot.sandbox.slack.rate_limits import RateLimits
from bot.sandbox.slack.records import Channel, Json, Member, UserGroup
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.signing import signed_headers
from bot.sandbox.slack.socket_mode import SocketMode
from bot.sandbox.slack.trigger_ids import TriggerIds
from bot.sandbox.slack.view_stack import ViewStack
from bot.sandbox.slack.web_api import Call, WebApi
from bot.sandbox.slack.workspace import Workspace

MOST_BYTES = 4 * 1024 * 1024


class LocalSlack:
    """A Slack of one workspace, in memory. Use as `async with LocalSlack(…) as slack`.

    `port` 0 picks a free one. `bot_url` is where requests go, signed; while it is None they go over Socket Mode.
    """

    def __init__(
        self,
        port: int = 0,
        signing_secret: str = "local-signing-secret",  # noqa: S107  protects nothing but tests
        bot_token: str = "xoxb-local",  # noqa: S107  as above
        app_token: str = "xapp-local",  # noqa: S107  as above
        bot_url: str | None = None,
        host: str = "127.0.0.1",
        sockets: SocketMode | None = None,
    ) -> None:
        self.signing_secret, self.bot_token, self.app_token = signing_secret, bot_token, app_token
        self._host, self._port = host, port
        self.workspace = Workspace()
        self.faults = Faults()
        self.rate_limits = RateLimits()
        self.triggers = TriggerIds()
        self.sockets = sockets or SocketMode(self.workspace)
        self.extra_routes: Callable[[web.Application], None] | None = None
        posting, views = Posting(self.workspace), ViewStack(self.workspace)
        self.response_urls = ResponseUrls(self.workspace, posting)
        self.delivery = Delivery(self.workspace, self.sockets, signing_secret)
        self.delivery.bot_url = bot_url
        site = Site(self.workspace, posting, views, self.triggers, self.sockets.new_url)
        self.api = WebApi(site, self.faults, self.rate_limits, bot_token, app_token)
        payloads = Payloads(self.workspace, self.triggers, self.response_urls)
        answers = Answers(self.workspace, views, self.response_urls)
        self.client = Client(self.workspace, views, payloads, self.delivery, answers)
        self._page = PageApi(self.workspace, self.client, self.faults)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_route("*", "/api/{method}", self.api.handle)
        app.router.add_get("/link/", self.sockets.serve)
        self.add_routes(app, "")
        self._page.add_routes(app)
        if self.extra_routes is not None:
            self.extra_routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.workspace.base_url = f"http://{self._host}:{self._port}"

    def add_routes(self, app: web.Application, prefix: str) -> None:
        """Serve what is the workspace's own below `prefix`."""
        app.router.add_post(f"{prefix}/response/{{key}}", self.response_urls.handle)
        app.router.add_post(f"{prefix}/upload/{{file_id}}", self._upload())

    async def stop(self) -> None:
        """Close every connection."""
        await self.delivery.close()
        await self.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _upload(self) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            return await receive_upload(self.workspace, request)

        return handle

    @property
    def url(self) -> str:
        """The address without a trailing slash."""
        return self.workspace.base_url

    @property
    def api_url(self) -> str:
        """What to give slack_sdk as `base_url`."""
        return f"{self.url}/api/"

    @property
    def team_id(self) -> str:
        return self.workspace.team_id

    @property
    def bot_user_id(self) -> str:
        return self.workspace.bot_user_id

    @property
    def bot_url(self) -> str | None:
        """Where requests are POSTed; None sends them over Socket Mode."""
        return self.delivery.bot_url

    @bot_url.setter
    def bot_url(self, url: str | None) -> None:
        self.delivery.bot_url = url

    @property
    def scopes(self) -> set[str]:
        """The bot token's scopes; change the set to take one away."""
        return self.workspace.scopes

    @property
    def violations(self) -> list[str]:
        """Each limit or rule of Slack that the bot broke, in words."""
        return self.workspace.violations

    @property
    def calls(self) -> list[Call]:
        """Every Web API call, oldest first."""
        return self.api.calls

    @property
    def delivered(self) -> list[Delivered]:
        """Every request sent to the bot with its answer, oldest first."""
        return self.delivery.delivered

    @property
    def slow_answers(self) -> list[str]:
        """The requests that the bot did not answer within 3 seconds."""
        return self.delivery.slow_answers

    @property
    def datadog_faults(self) -> SwitchableFaults | None:
        """The local Datadog's faults, for the page's switches."""
        return self._page.datadog_faults

    @datadog_faults.setter
    def datadog_faults(self, faults: SwitchableFaults | None) -> None:
        self._page.datadog_faults = faults

    @property
    def links(self) -> list[Json]:
        """`{"label", "url"}` of pages the browser page links to; append to it."""
        return self._page.links

    @property
    def shortcuts(self) -> list[Json]:
        """`{"type": "global"|"message", "callback_id", "name"}` that the browser page offers; append to it."""
        return self._page.shortcuts

    def add_person(self, id: str, name: str, **flags: Any) -> Person:  # noqa: A002  Slack's own name
        """Add a person. Flags: deleted, is_bot, is_restricted, is_ultra_restricted, is_stranger, team_id, tz, note."""
        team_id = flags.pop("team_id", "T09FOREIGN" if flags.get("is_stranger") else self.team_id)
        member = Member(id, name, team_id, foreign=team_id != self.team_id, **flags)
        self.workspace.members[id] = member
        self.workspace.changed()
        return self.person(id)

    def add_channel(
        self,
        id: str,  # noqa: A002  Slack's own name
        name: str,
        members: Iterable[str] | None = None,
        **flags: Any,
    ) -> Channel:
        """Add a channel; `members=None` is everybody. Flags: is_private, is_ext_shared, is_archived, bot_is_member."""
        channel = Channel(id, name, None if members is None else set(members), **flags)
        self.workspace.channels[id] = channel
        self.workspace.changed()
        return channel

    def add_group(
        self,
        id: str,  # noqa: A002  Slack's own name
        users: Iterable[str],
        handle: str | None = None,
    ) -> UserGroup:
        """Add a user group, or replace it."""
        group = UserGroup(id, handle or id.lower(), list(users))
        self.workspace.groups[id] = group
        return group

    def person(self, user_id: str) -> Person:
        """A person to act as. Raises KeyError for an unknown id."""
        return Person(self.workspace, self.client, self.workspace.members[user_id])

    def calls_of(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def messages(self, channel_id: str) -> list[Json]:
        """A channel's messages (a person's id: their conversation with the bot), oldest first, ephemeral ones included.

        Each as Slack shows it, and always channel, ts, user, text, blocks, thread_ts, edited (bool), ephemeral_to.
        """
        if channel_id in self.workspace.members:
            channel_id = self.workspace.direct_message(channel_id).id
        channel = self.workspace.channels.get(channel_id)
        return [message.as_seen() for message in (channel.messages if channel else [])]

    def sign(self, body: str | bytes, timestamp: int | None = None) -> dict[str, str]:
        """Slack's signature headers for a body; `timestamp` in unix seconds."""
        return signed_headers(self.signing_secret, body, timestamp)

    async def deliver(self, kind: str, payload: Json) -> Ack:
        """Send a crafted or repeated request; its answer is returned and not acted upon.

        `kind`: command (form fields), interactive, options or event.
        """
        return await self.delivery.send(kind, payload)
