"""The window in which a person gives their authenticator app its secret, and shows with a code that it has it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from slack_sdk.models.blocks import InputBlock, PlainTextInputElement, PlainTextObject
from slack_sdk.models.views import View as SlackView

from bot.slack.blocks.review_modal import CODE, section
from bot.slack.blocks.text import code
from bot.slack.ids import Action, View

REPLACE, CONFIRM = "replace", "confirm"  # what a code typed in it is for


def authenticator_modal(uri: str = "") -> dict[str, Any]:
    """With the app's new secret in it; without a `uri`, the question for a code of the app that the person has already."""
    words = _secret(uri) if uri else [_HAVE_ONE]
    element = PlainTextInputElement(action_id=Action.CODE, max_length=10, placeholder="123456")
    label = "The code that the app shows now" if uri else "A code of the app that you have now"
    view = SlackView(
        type="modal",
        callback_id=View.AUTHENTICATOR,
        title=PlainTextObject(text="Authenticator"),
        submit=PlainTextObject(text="Confirm" if uri else "Go on"),
        close=PlainTextObject(text="Cancel"),
        blocks=[*(section(text) for text in words), InputBlock(block_id=CODE, label=label, element=element)],
        private_metadata=CONFIRM if uri else REPLACE,
    )
    rendered: dict[str, Any] = view.to_dict()
    return rendered


_HAVE_ONE = (
    ":lock: You have set up an authenticator. To replace it, type a code of it first. Is it lost? Ask whoever runs the bot"
    " to remove it: `workflow-bot authenticators remove`."
)


def _secret(uri: str) -> list[str]:
    secret = parse_qs(urlsplit(uri).query)["secret"][0]
    grouped = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return [
        ":lock: *Add this to your authenticator app*, as a key that you type in (time-based, six digits). Don't show it to"
        " anybody: with it, one can approve in your name.",
        code(grouped),
        f"Or open this on the device that has the app: {code(uri)}",
    ]
