"""The Web API's methods that tell who and what there is: auth, team, users, user groups, conversations, sockets."""

from __future__ import annotations

from bot.sandbox.slack.api_error import ApiError
from bot.sandbox.slack.api_methods import Method, Site, insist_scope, is_true, need, page
from bot.sandbox.slack.records import Channel, Json

_TYPE_SCOPES = {
    "public_channel": "channels:read",
    "private_channel": "groups:read",
    "im": "im:read",
    "mpim": "mpim:read",
}


def _api_test(site: Site, params: Json) -> Json:
    if params.get("error"):
        raise ApiError(str(params["error"]))
    return {"args": params}


def _auth_test(site: Site, params: Json) -> Json:
    ws = site.workspace
    return {
        "url": ws.base_url + "/",
        "team": ws.team_name,
        "user": ws.members[ws.bot_user_id].handle,
        "team_id": ws.team_id,
        "user_id": ws.bot_user_id,
        "bot_id": ws.bot_id,
        "is_enterprise_install": ws.is_enterprise_install,
    } | ({"enterprise_id": ws.enterprise_id} if ws.enterprise_id else {})


def _bots_info(site: Site, params: Json) -> Json:
    ws = site.workspace
    if params.get("bot") != ws.bot_id:
        raise ApiError("bot_not_found")
    shown = {"id": ws.bot_id, "deleted": False, "name": ws.members[ws.bot_user_id].handle, "updated": 1700000000}
    return {"bot": shown | {"app_id": ws.app_id, "user_id": ws.bot_user_id}}


def _team_info(site: Site, params: Json) -> Json:
    ws = site.workspace
    return {"team": {"id": ws.team_id, "name": ws.team_name, "domain": ws.team_domain, "email_domain": ""}}


def _users_info(site: Site, params: Json) -> Json:
    need(params, "user")
    member = site.workspace.members.get(str(params["user"]))
    if member is None:
        raise ApiError("user_not_found")
    user = member.to_json()
    if site.workspace.enterprise_id and not member.foreign:
        user["enterprise_user"] = {
            "id": member.id,
            "enterprise_id": site.workspace.enterprise_id,
            "teams": [member.team_id],
        }
    return {"user": user}


def _users_list(site: Site, params: Json) -> Json:
    members = [m.to_json() for m in site.workspace.members.values() if not m.foreign]
    return page(members, params, "members", 1000) | {"cache_ts": 1700000000}


def _usergroups_list(site: Site, params: Json) -> Json:
    groups = []
    for group in site.workspace.groups.values():
        shown: Json = {"id": group.id, "team_id": site.workspace.team_id, "handle": group.handle, "name": group.handle}
        shown |= {"is_usergroup": True, "date_delete": 0, "user_count": len(group.users)}
        groups.append(shown | ({"users": group.users} if is_true(params.get("include_users")) else {}))
    return {"usergroups": groups}


def _usergroup_users(site: Site, params: Json) -> Json:
    need(params, "usergroup")
    group = site.workspace.groups.get(str(params["usergroup"]))
    if group is None:
        raise ApiError("no_such_subteam")
    members = site.workspace.members
    everybody = is_true(params.get("include_disabled"))
    return {"users": [u for u in group.users if everybody or not (u in members and members[u].deleted)]}


def _conversation(site: Site, params: Json) -> Channel:
    need(params, "channel")
    channel = site.workspace.channels.get(str(params["channel"]))
    if channel is None or (channel.kind == "private_channel" and not channel.bot_is_member):
        raise ApiError("channel_not_found")
    insist_scope(site, _TYPE_SCOPES[channel.kind], *(["im:write"] if channel.im_user else []))
    return channel


def _conversations_info(site: Site, params: Json) -> Json:
    channel = _conversation(site, params)
    shown = channel.to_json()
    if is_true(params.get("include_num_members")):
        shown["num_members"] = len(_member_ids(site, channel))
    return {"channel": shown}


def _conversations_history(site: Site, params: Json) -> Json:
    """The newest first, without threads' replies (Slack docs: conversations.history)."""
    need(params, "channel")
    channel = site.workspace.channels.get(str(params["channel"]))
    if channel is None or (channel.kind == "private_channel" and not channel.bot_is_member):
        raise ApiError("channel_not_found")
    insist_scope(site, _TYPE_SCOPES[channel.kind].replace(":read", ":history"))
    if not channel.bot_is_member:
        raise ApiError("not_in_channel")
    shown = [m.to_json() for m in channel.messages if m.ephemeral_to is None and m.thread_ts in (None, m.ts)]
    found = page(shown[::-1], params, "messages", 100)
    return found | {"has_more": bool(found["response_metadata"]["next_cursor"])}


def _conversations_list(site: Site, params: Json) -> Json:
    types = str(params.get("types") or "public_channel").split(",")
    for kind in types:
        if kind.strip() not in _TYPE_SCOPES:
            raise ApiError("invalid_types")
        insist_scope(site, _TYPE_SCOPES[kind.strip()])
    wanted = {kind.strip() for kind in types}
    found = [
        channel.to_json()
        for channel in site.workspace.channels.values()
        if channel.kind in wanted
        and (channel.kind != "private_channel" or channel.bot_is_member)
        and not (is_true(params.get("exclude_archived")) and channel.is_archived)
    ]
    return page(found, params, "channels", 100)


def _member_ids(site: Site, channel: Channel) -> list[str]:
    members = site.workspace.members.values()
    return [
        m.id for m in members if (channel.bot_is_member if m.id == site.workspace.bot_user_id else channel.has(m.id))
    ]


def _conversations_members(site: Site, params: Json) -> Json:
    return page(_member_ids(site, _conversation(site, params)), params, "members", 100)


def _conversations_open(site: Site, params: Json) -> Json:
    if params.get("channel"):
        return {"channel": {"id": _conversation(site, params).id}}
    need(params, "users")
    users = params["users"] if isinstance(params["users"], list) else str(params["users"]).split(",")
    if len(users) != 1:
        insist_scope(site, "mpim:write")
        raise ApiError("method_not_supported_for_channel_type")
    member = site.workspace.members.get(users[0].strip())
    if member is None or member.is_bot:
        raise ApiError("user_not_found")
    if member.deleted:
        raise ApiError("user_disabled")
    return {"channel": {"id": site.workspace.direct_message(member.id).id}}


def _connections_open(site: Site, params: Json) -> Json:
    if "connections:write" not in site.workspace.app_token_scopes:
        provided = ",".join(sorted(site.workspace.app_token_scopes))
        raise ApiError("missing_scope", needed="connections:write", provided=provided)
    return {"url": site.socket_url()}


_READ_CHANNELS = tuple(_TYPE_SCOPES.values())
METHODS = {
    "api.test": Method(_api_test),
    "auth.test": Method(_auth_test, per_minute=600),
    "bots.info": Method(_bots_info, ("users:read",), 50),
    "team.info": Method(_team_info, ("team:read",), 50),
    "users.info": Method(_users_info, ("users:read",), 100),
    "users.list": Method(_users_list, ("users:read",), 20),
    "usergroups.list": Method(_usergroups_list, ("usergroups:read",), 20),
    "usergroups.users.list": Method(_usergroup_users, ("usergroups:read",), 20),
    "conversations.info": Method(_conversations_info, (*_READ_CHANNELS, "im:write"), 50),
    "conversations.list": Method(_conversations_list, _READ_CHANNELS, 20),
    "conversations.members": Method(_conversations_members, (*_READ_CHANNELS, "im:write"), 100),
    "conversations.history": Method(_conversations_history, per_minute=50),
    "conversations.open": Method(_conversations_open, ("im:write", "mpim:write"), 50),
    "apps.connections.open": Method(_connections_open, per_minute=1, app_token=True),
}
