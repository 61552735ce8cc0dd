"""What the browser page shows to one viewer: the whole local Slack as that person sees it, as one JSON object."""

from __future__ import annotations

from typing import Any

from bot.sandbox.slack.records import Json, Member, Message, View
from bot.sandbox.slack.workspace import Workspace

_COLORS = ("#e8912d", "#2bac76", "#4a90d9", "#9b59b6", "#cd2553", "#1f8a8a", "#7a6f5d", "#5b6abf")


def snapshot(workspace: Workspace, viewer: str, faults: Json, links: list[Json], shortcuts: list[Json]) -> Json:
    """Everything the page needs to draw, for one person."""
    ws = workspace
    dm = ws.direct_message(viewer)
    channels: list[Json] = [
        {"id": c.id, "name": c.name, "is_private": c.is_private, "topic": c.topic, "unread": 0, "kind": "channel"}
        for c in ws.channels.values()
        if not c.im_user and c.has(viewer)
    ]
    bot_name = ws.members[ws.bot_user_id].name
    channels.append({"id": dm.id, "name": bot_name, "is_private": True, "topic": "", "unread": 0, "kind": "dm"})
    home = ws.homes.get(viewer)
    return {
        "team": {"id": ws.team_id, "name": ws.team_name},
        "command": ws.command,
        "home_tab": ws.home_tab,
        "people": [_person(ws, member, at) for at, member in enumerate(ws.members.values())],
        "as": viewer,
        "channels": channels,
        "messages": {c["id"]: [_message(ws, m) for m in ws.visible_messages(c["id"], viewer)] for c in channels},
        "modals": [_view(ws, view) for view in ws.stack(viewer)],
        "home": _view(ws, home) if home else None,
        "toasts": [{"id": f"{viewer}-{i}", "text": text} for i, text in enumerate(ws.errors.get(viewer, []))],
        "faults": faults,
        "links": links,
        "shortcuts": shortcuts,
    }


def _person(ws: Workspace, member: Member, at: int) -> Json:
    words = member.name.split()
    initials = "".join(word[0] for word in words[:2]).upper() if words else "?"
    kind, note = "member", ""
    if member.is_bot:
        kind, note = "bot", "App"
    elif member.deleted:
        kind, note = "deactivated", "Deactivated account"
    elif member.foreign:
        kind, note = "external", "From another workspace"
    elif member.is_restricted or member.is_ultra_restricted:
        kind, note = "guest", "Guest"
    groups = [f"@{group.handle}" for group in ws.groups.values() if member.id in group.users]
    return {
        "id": member.id,
        "name": member.handle,
        "real_name": member.name,
        "initials": initials,
        "color": _COLORS[at % len(_COLORS)],
        "kind": kind,
        "note": member.note or note or ", ".join(groups),
    }


def _message(ws: Workspace, message: Message) -> Json:
    member = ws.members.get(message.user)
    return {
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "user": message.user,
        "user_name": member.name if member else message.user,
        "is_bot": bool(message.bot_id),
        "text": message.text,
        "blocks": message.blocks,
        "ephemeral": message.ephemeral_to is not None,
        "edited": message.edited,
        "files": message.files,
    }


def _view(ws: Workspace, view: View) -> Json:
    shown: dict[str, Any] = ws.view_payload(view)
    return shown | {"errors": view.errors}
