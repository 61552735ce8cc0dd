"""The Web API's chat.* and reactions.* methods."""

from __future__ import annotations

from bot.sandbox.slack.api_error import ApiError
from bot.sandbox.slack.api_methods import Method, Site, need
from bot.sandbox.slack.records import Channel, Json, Message


def _post_message(site: Site, params: Json) -> Json:
    need(params, "channel")
    channel = site.posting.target(params["channel"])
    message, warnings = site.posting.post(channel, params)
    return {"channel": channel.id, "ts": message.ts, "message": message.to_json(), **warnings}


def _post_ephemeral(site: Site, params: Json) -> Json:
    need(params, "channel", "user")
    channel = site.posting.target(params["channel"])
    if not channel.bot_is_member and channel.is_private and not channel.im_user:
        raise ApiError("not_in_channel")
    user = str(params["user"])
    if user not in site.workspace.members or not channel.has(user):
        raise ApiError("user_not_in_channel")
    message, warnings = site.posting.post(channel, params, ephemeral_to=user)
    return {"message_ts": message.ts, **warnings}


def _update(site: Site, params: Json) -> Json:
    need(params, "channel", "ts")
    channel = _exact_channel(site, params)
    message = site.posting.own_message(channel, params["ts"], "cant_update_message")
    site.posting.update(message, params)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": message.to_json()}


def _delete(site: Site, params: Json) -> Json:
    need(params, "channel", "ts")
    channel = _exact_channel(site, params)
    site.posting.delete(site.posting.own_message(channel, params["ts"], "cant_delete_message"))
    return {"channel": channel.id, "ts": str(params["ts"])}


def _permalink(site: Site, params: Json) -> Json:
    need(params, "channel", "message_ts")
    channel, message = _message(site, params, "message_ts")
    number = message.ts.replace(".", "")
    return {"channel": channel.id, "permalink": f"{site.workspace.base_url}/archives/{channel.id}/p{number}"}


def _add_reaction(site: Site, params: Json) -> Json:
    need(params, "channel", "timestamp", "name")
    _, message = _message(site, params, "timestamp")
    reaction = (str(params["name"]), site.workspace.bot_user_id)
    if reaction in message.reactions:
        raise ApiError("already_reacted")
    message.reactions.append(reaction)
    site.workspace.changed()
    return {}


def _exact_channel(site: Site, params: Json) -> Channel:
    channel = site.workspace.channels.get(str(params["channel"]))
    if channel is None or (channel.is_private and not channel.im_user and not channel.bot_is_member):
        raise ApiError("channel_not_found")
    return channel


def _message(site: Site, params: Json, name: str) -> tuple[Channel, Message]:
    channel = _exact_channel(site, params)
    message = site.workspace.message(channel.id, str(params[name]))
    if message is None or message.ephemeral_to:
        raise ApiError("message_not_found")
    return channel, message


METHODS = {
    "chat.postMessage": Method(_post_message, ("chat:write",), per_minute=600),
    "chat.postEphemeral": Method(_post_ephemeral, ("chat:write",)),
    "chat.update": Method(_update, ("chat:write",), per_minute=50),
    "chat.delete": Method(_delete, ("chat:write",), per_minute=50),
    "chat.getPermalink": Method(_permalink, per_minute=600),
    "reactions.add": Method(_add_reaction, ("reactions:write",), per_minute=50),
}
