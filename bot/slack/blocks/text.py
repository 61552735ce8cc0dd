"""Words for Slack: escaping, cutting, and the limits they are cut to (Slack docs: reference/block-kit)."""

from __future__ import annotations

from datetime import datetime

TITLE = 24  # a modal's title, its submit and close
OPTION = 75  # the text of an option
OPTION_VALUE = 150
PLACEHOLDER = 150
LABEL = 2000  # an input's label, and its hint
SECTION = 3000
BUTTON = 75
SHOWN_VALUE = 300  # characters of one input's value in a message; the record holds it whole


def cut(text: str, limit: int) -> str:
    """The text, with an ellipsis where it had to be cut to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def escape(text: str) -> str:
    """Text that pings nobody and links nowhere (Slack docs: formatting text, escaping)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """Text in a code span: one line, nothing in it is read as formatting."""
    flat = " ".join(text.split("\n")).replace("`", "\u02cb")
    return f"`{escape(flat)}`" if flat.strip() else "_empty_"


def person(user_id: str) -> str:
    """A mention."""
    return f"<@{user_id}>"


def channel(channel_id: str) -> str:
    """A channel's name as a link; for direct messages a word, as they have no name."""
    return "a direct message" if channel_id.startswith("D") else f"<#{channel_id}>"


def moment(at: datetime) -> str:
    """A moment, shown in the reader's own time zone."""
    stamp = int(at.timestamp())
    return f"<!date^{stamp}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def quoted(text: str) -> str:
    """What a person wrote as a quotation, each line of it: none can look like the bot's own."""
    return "\n".join(f"> {line}" for line in escape(text).splitlines() or [""])


def sentence_list(items: list[str], last: str = "or") -> str:
    """`a`, `a or b`, `a, b or c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"
