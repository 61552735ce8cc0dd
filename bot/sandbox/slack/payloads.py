"""The requests Slack sends, built from the local state with every field the documentation lists.

Source: Slack docs: reference/interaction-payloads, interactivity/implementing-slash-commands, apis/events-api.
"""

from __future__ import annotations

import time

from bot.sandbox.slack.command_text import escaped
from bot.sandbox.slack.records import Channel, Json, Message, Surface, Values, View
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.trigger_ids import TriggerIds
from bot.sandbox.slack.workspace import Workspace

VERIFICATION_TOKEN = "deprecated-and-never-checked"  # noqa: S105  Slack still sends one; nothing may trust it


class Payloads:
    """Builds one payload per deed of a person."""

    def __init__(self, workspace: Workspace, triggers: TriggerIds, response_urls: ResponseUrls) -> None:
        self._ws = workspace
        self._triggers = triggers
        self._urls = response_urls

    def slash_command(self, user_id: str, channel: Channel, text: str) -> Json:
        """A slash command's form fields."""
        shown = "directmessage" if channel.im_user else "privategroup" if channel.is_private else channel.name
        return {
            "token": VERIFICATION_TOKEN,
            "team_id": self._ws.team_id,
            "team_domain": self._ws.team_domain,
            "channel_id": channel.id,
            "channel_name": shown,
            "user_id": user_id,
            "user_name": self._ws.members[user_id].handle,
            "command": self._ws.command,
            "text": escaped(self._ws, text),
            "api_app_id": self._ws.app_id,
            "is_enterprise_install": "true" if self._ws.is_enterprise_install else "false",
            "response_url": self._urls.give(user_id, channel.id),
            "trigger_id": self._triggers.give(user_id),
        } | ({"enterprise_id": self._ws.enterprise_id} if self._ws.enterprise_id else {})

    def block_actions(self, user_id: str, surface: Surface, action: Json) -> Json:
        """A press or choice in a view or message."""
        payload = self._common("block_actions", user_id) | {"actions": [action], "container": self._container(surface)}
        if isinstance(surface, View):
            payload["trigger_id"] = self._triggers.give(user_id, self._modal_id(surface))
            payload["view"] = self._ws.view_payload(surface)
            return payload
        payload["trigger_id"] = self._triggers.give(user_id)
        payload["channel"] = self._channel(surface)
        payload["state"] = {"values": surface.values}
        payload["response_url"] = self._urls.give(user_id, surface.channel, surface)
        if not surface.ephemeral_to:
            payload["message"] = surface.to_json() | {"app_id": self._ws.app_id, "team": self._ws.team_id}
        return payload

    def block_suggestion(self, user_id: str, surface: Surface, block_id: str, action_id: str, query: str) -> Json:
        """What an external select asks while its person types."""
        payload = self._common("block_suggestion", user_id) | {
            "container": self._container(surface),
            "action_id": action_id,
            "block_id": block_id,
            "value": query,
        }
        if isinstance(surface, View):
            return payload | {"view": self._ws.view_payload(surface)}
        return payload | {"channel": self._channel(surface), "message": surface.to_json()}

    def view_submission(self, user_id: str, view: View) -> Json:
        """Submit of a modal; no channel and no response_url."""
        return self._common("view_submission", user_id) | {
            "trigger_id": self._triggers.give(user_id, self._modal_id(view)),
            "view": self._ws.view_payload(view),
            "response_urls": [],
        }

    def view_closed(self, user_id: str, view: View, *, is_cleared: bool) -> Json:
        """Close of a modal that asked to be told; its state omits input blocks."""
        shown = self._ws.view_payload(view)
        inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
        kept: Values = {block_id: state for block_id, state in view.values.items() if block_id not in inputs}
        shown["state"] = {"values": kept}
        return self._common("view_closed", user_id) | {"view": shown, "is_cleared": is_cleared}

    def global_shortcut(self, user_id: str, callback_id: str) -> Json:
        """A global shortcut; no channel and no response_url."""
        return self._common("shortcut", user_id) | {
            "callback_id": callback_id,
            "trigger_id": self._triggers.give(user_id),
            "action_ts": self._ws.new_ts(),
        }

    def message_shortcut(self, user_id: str, callback_id: str, message: Message) -> Json:
        """A shortcut on a message."""
        return self._common("message_action", user_id) | {
            "callback_id": callback_id,
            "trigger_id": self._triggers.give(user_id),
            "action_ts": self._ws.new_ts(),
            "message_ts": message.ts,
            "message": message.to_json(),
            "channel": self._channel(message),
            "response_url": self._urls.give(user_id, message.channel),
        }

    def event(self, event: Json, actor_team: str, *, is_ext_shared: bool = False) -> Json:
        """The envelope of an Events API event."""
        ws, wide = self._ws, self._ws.is_enterprise_install
        authorization: Json = {"enterprise_id": ws.enterprise_id, "team_id": None if wide else ws.team_id}
        authorization |= {"user_id": ws.bot_user_id, "is_bot": True, "is_enterprise_install": wide}
        return {
            "token": VERIFICATION_TOKEN,
            "team_id": self._ws.team_id,
            "context_team_id": self._ws.team_id,
            "context_enterprise_id": ws.enterprise_id,
            "api_app_id": self._ws.app_id,
            "event": event | ({"user_team": actor_team, "source_team": actor_team} if is_ext_shared else {}),
            "type": "event_callback",
            "event_id": self._ws.new_id("Ev"),
            "event_time": int(time.time()),
            "authorizations": [authorization],
            "is_ext_shared_channel": is_ext_shared,
            "event_context": "4-local",
        }

    def _common(self, kind: str, user_id: str) -> Json:
        member = self._ws.members[user_id]
        user = {"id": user_id, "username": member.handle, "name": member.handle, "team_id": member.team_id}
        return {
            "type": kind,
            "token": VERIFICATION_TOKEN,
            "user": user,
            # Where the whole organisation has the app, no team is named (Slack docs: enterprise/developing-for-…).
            "team": None
            if self._ws.is_enterprise_install
            else {"id": self._ws.team_id, "domain": self._ws.team_domain},
            "enterprise": {"id": self._ws.enterprise_id, "name": "Org"} if self._ws.enterprise_id else None,
            "is_enterprise_install": self._ws.is_enterprise_install,
            "api_app_id": self._ws.app_id,
        }

    def _container(self, surface: Surface) -> Json:
        if isinstance(surface, View):
            return {"type": "view", "view_id": surface.id}
        container: Json = {"type": "message", "message_ts": surface.ts, "channel_id": surface.channel}
        container["is_ephemeral"] = surface.ephemeral_to is not None
        return container | ({"thread_ts": surface.thread_ts} if surface.thread_ts else {})

    def _channel(self, message: Message) -> Json:
        channel = self._ws.channels[message.channel]
        shown = "directmessage" if channel.im_user else "privategroup" if channel.is_private else channel.name
        return {"id": channel.id, "name": shown}

    def _modal_id(self, view: View) -> str | None:
        return view.id if view.definition["type"] == "modal" else None
