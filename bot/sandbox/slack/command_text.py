"""What the client makes of the text typed behind a slash command.

Source: Slack docs: interactivity/implementing-slash-commands ("Escaping channels, users, and links").
"""

from __future__ import annotations

import re

from bot.sandbox.slack.workspace import Workspace

_TYPED_REFERENCE = re.compile(r"&lt;([@#])([A-Z0-9]+)(?:\|[^&]*)?&gt;")
_NAME = re.compile(r"(?<![\w<|@#])([@#])([\w.\-]+)")
_LINK = re.compile(r"(?<![\w<|])(https?://[^\s<>|]+)")


def escaped(workspace: Workspace, text: str) -> str:
    """`&`, `<`, `>` as entities; with `should_escape` also names as `<@U…|name>`, `<#C…|name>` and links as `<url>`."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if not workspace.should_escape:
        return text
    people = {m.handle: m.id for m in workspace.members.values()}
    channels = {c.name: c.id for c in workspace.channels.values() if not c.im_user}
    names = {m.id: m.handle for m in workspace.members.values()} | {c.id: c.name for c in workspace.channels.values()}

    def by_name(found: re.Match[str]) -> str:
        sign, name = found.groups()
        known = (people if sign == "@" else channels).get(name.lower())
        return f"<{sign}{known}|{name.lower()}>" if known else found.group(0)

    def by_id(found: re.Match[str]) -> str:
        sign, wanted = found.groups()
        return f"<{sign}{wanted}|{names[wanted]}>" if wanted in names else found.group(0)

    text = _LINK.sub(r"<\1>", text)
    text = _NAME.sub(by_name, text)
    return _TYPED_REFERENCE.sub(by_id, text)
