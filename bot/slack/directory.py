"""Who is who: the installation itself, and what each person is to it. Asked of Slack, remembered for a stated time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import InvalidSettings, SlackUnavailable
from bot.domain.people import Actor, Kind
from bot.domain.policy import EVERYONE

# Seconds that what Slack says of a person or a user group is taken for true, unless an event says otherwise:
# users.info allows 100 calls a minute, usergroups.users.list 20 (Slack docs: apis/web-api/rate-limits).
AGE_LIMIT = 300.0
CALL_LIMIT = 1.2  # seconds; asked before an ack
REMEMBERED = 20_000  # people

UNREACHABLE = (aiohttp.ClientError, SlackClientError, OSError, TimeoutError)

# Slack docs: errors of auth.test. Asking again won't help.
REFUSED_TOKEN = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type"}
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """The workspace or organisation that the bot's token belongs to."""

    team_id: str
    enterprise_id: str | None
    bot_user_id: str
    bot_id: str | None
    team_name: str = ""
    url: str = ""


class SlackDirectory:
    """Answers from memory where that is fresh. Where Slack can't be asked and nothing is fresh, nobody is let in."""

    def __init__(self, client: AsyncWebClient, me: Identity | None = None) -> None:
        self._client = client
        self._me = me
        self._people: dict[str, tuple[float, dict[str, Any]]] = {}
        self._groups: dict[str, tuple[float, frozenset[str]]] = {}
        self._asking: dict[str, asyncio.Lock] = {}
        # Questions under way, by what they are about: an answer that Slack's events have overtaken isn't remembered.
        self._questions: dict[str, object] = {}
        self._lock = asyncio.Lock()

    async def me(self) -> Identity:
        """Who we are; where it isn't known it is asked, once.

        Raises SlackUnavailable, or InvalidSettings where Slack refuses the token.
        """
        if self._me is None:
            async with self._lock:
                if self._me is None:
                    self._me = await self._ask_who_we_are()
        return self._me

    async def actor(self, team_id: str, user_id: str, *, fresh: bool = False) -> Actor:
        """The person, by what Slack says of them; `fresh`: by what it says now. `team_id` is what the request says.

        Raises SlackUnavailable.
        """
        me = await self.me()
        profile = await self._profile(user_id, fresh)
        home = me.enterprise_id or me.team_id
        name = str(profile.get("real_name") or profile.get("name") or user_id)
        return Actor(home, user_id, name, _kind(profile, team_id, me))

    async def subjects(self, actor: Actor, groups: Collection[str], *, fresh: bool = False) -> frozenset[str]:
        """Everything that a rule can know the person by, of these user groups those they are in.

        Raises SlackUnavailable where it can't be told of one group: left out, a rule that denies it would not apply.
        """
        members = await asyncio.gather(*(self._members(group, fresh) for group in groups))
        theirs = {group for group, users in zip(groups, members, strict=True) if actor.user_id in users}
        return frozenset({actor.user_id, EVERYONE, *theirs})

    async def members(self, group_id: str) -> frozenset[str]:
        """The ids of the user group's members, guests and others among them. Raises SlackUnavailable."""
        return await self._members(group_id, fresh=False)

    def forget_group(self, group_id: str) -> None:
        """Slack says that its members have changed."""
        self._groups.pop(group_id, None)
        self._questions.pop(group_id, None)

    def forget_person(self, user_id: str) -> None:
        """Slack says that something about the person has changed."""
        self._people.pop(user_id, None)
        self._questions.pop(user_id, None)

    async def _members(self, group_id: str, fresh: bool) -> frozenset[str]:
        since = time.monotonic()
        async with self._asking.setdefault(group_id, asyncio.Lock()):  # one question, however many wait for its answer
            known = self._groups.get(group_id)
            oldest = since if fresh else time.monotonic() - AGE_LIMIT
            if known is not None and known[0] > oldest:  # a fresh answer is one to a question that began after ours
                return known[1]
            return await self._ask_members(group_id)

    async def _ask_members(self, group_id: str) -> frozenset[str]:
        question, began = object(), time.monotonic()
        self._questions[group_id] = question
        try:
            answer = await asyncio.wait_for(self._client.usergroups_users_list(usergroup=group_id), CALL_LIMIT)
        except SlackApiError as error:
            reason = error.response.get("error")
            if reason in ("no_such_subteam", "subteam_not_found"):
                return frozenset()
            log.error("usergroups.users.list failed for %s: %s", group_id, reason)
            raise SlackUnavailable from error
        except UNREACHABLE as error:
            log.error("usergroups.users.list failed for %s: %s", group_id, type(error).__name__)
            raise SlackUnavailable from error
        members = frozenset(str(user) for user in answer.get("users") or [])
        if self._still_holds(group_id, question):
            self._groups[group_id] = (began, members)
        return members

    def _still_holds(self, id_: str, question: object) -> bool:
        """Whether no event came, and no later question was asked, while this one was under way."""
        if self._questions.get(id_) is not question:
            return False
        del self._questions[id_]
        return True

    async def _profile(self, user_id: str, fresh: bool) -> dict[str, Any]:
        known = self._people.get(user_id)
        if known is not None and not fresh and time.monotonic() - known[0] < AGE_LIMIT:
            return known[1]
        question = self._questions[user_id] = object()
        try:
            response = await asyncio.wait_for(self._client.users_info(user=user_id), CALL_LIMIT)
        except SlackApiError as error:
            if error.response.get("error") in ("user_not_found", "user_not_visible"):
                return {"id": user_id, "is_stranger": True}
            log.error("users.info failed: %s", error.response.get("error"))
            raise SlackUnavailable from error
        except UNREACHABLE as error:
            log.error("users.info failed: %s", type(error).__name__)
            raise SlackUnavailable from error
        profile: dict[str, Any] = response.get("user") or {}
        if self._still_holds(user_id, question):
            if len(self._people) >= REMEMBERED:
                self._people.clear()
            self._people[user_id] = (time.monotonic(), profile)
        return profile

    async def _ask_who_we_are(self) -> Identity:
        try:
            answer = await asyncio.wait_for(self._client.auth_test(), CALL_LIMIT)
        except SlackApiError as error:
            reason = error.response.get("error")
            if reason in REFUSED_TOKEN:
                raise InvalidSettings(
                    f"Slack refuses SLACK_BOT_TOKEN ({reason}). Copy the token from the app's page: OAuth & Permissions."
                ) from None
            raise SlackUnavailable from error
        except UNREACHABLE as error:
            raise SlackUnavailable from error
        return Identity(
            team_id=str(answer.get("team_id") or ""),
            enterprise_id=answer.get("enterprise_id"),
            bot_user_id=str(answer.get("user_id") or ""),
            bot_id=answer.get("bot_id"),
            team_name=str(answer.get("team") or ""),
            url=str(answer.get("url") or ""),
        )


def _kind(profile: dict[str, Any], team_id: str, me: Identity) -> Kind:
    """What the person is to us (Slack docs: reference/objects/user-object). What isn't known is not let in."""
    if profile.get("deleted"):
        return Kind.DEACTIVATED
    if profile.get("is_bot") or profile.get("id") == "USLACKBOT":
        return Kind.BOT
    ours = {me.team_id, me.enterprise_id} - {None, ""}
    enterprise = (profile.get("enterprise_user") or {}).get("enterprise_id")
    claimed = {team_id, str(profile.get("team_id") or "")} - {""}
    at_home = bool(claimed) and (claimed <= ours or (enterprise is not None and enterprise == me.enterprise_id))
    if profile.get("is_stranger") or not at_home:
        return Kind.EXTERNAL
    if profile.get("is_restricted") or profile.get("is_ultra_restricted"):
        return Kind.GUEST
    return Kind.MEMBER
