"""What Slack does with the bot's answers to requests: shows them, or refuses them and says so.

Sources: Slack docs: surfaces/modals ("Handling and responding to interactions"),
interactivity/implementing-slash-commands.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.sandbox.slack.api_error import ApiError
from bot.sandbox.slack.composition import check_suggestions
from bot.sandbox.slack.delivery import Ack
from bot.sandbox.slack.records import Channel, Json, View
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.view_stack import ViewStack
from bot.sandbox.slack.workspace import Workspace

TROUBLE = "We had some trouble connecting. Try again?"
_ANSWER_FIELDS = {"errors": "errors", "update": "view", "push": "view", "clear": None}


@dataclass(frozen=True)
class SubmitResult:
    """What came of Submit.

    `happened`: closed, errors, updated, pushed, cleared; "refused" where the client itself did not send it
    (`errors` says why); "failed" where no valid answer came in time. `errors`: text by block_id.
    `ack`: the bot's answer, None if nothing was sent.
    """

    happened: str
    errors: dict[str, str] = field(default_factory=dict)
    ack: Ack | None = None


class Answers:
    """Applies answers to the workspace."""

    def __init__(self, workspace: Workspace, views: ViewStack, response_urls: ResponseUrls) -> None:
        self._ws = workspace
        self._views = views
        self._urls = response_urls

    def to_command(self, user_id: str, channel: Channel, ack: Ack) -> None:
        """Show the text a slash command was answered with, or Slack's own error."""
        if not ack.ok:
            self._ws.tell(user_id, _failure(self._ws.command, ack))
        elif ack.body:
            body = ack.json if isinstance(ack.json, dict) else {"text": ack.body}
            try:
                if body:
                    self._urls.answer(channel, user_id, body)
            except ApiError as error:
                self._ws.violate(f"answer to {self._ws.command}: {error.code} {' '.join(error.messages)}".strip())
                self._ws.tell(user_id, f'{self._ws.command} failed with the error "{error.code}"')

    def to_action(self, user_id: str, what: str, ack: Ack) -> None:
        """Note a press or choice that wasn't acknowledged; Slack ignores any body."""
        if not ack.ok:
            self._ws.tell(user_id, _failure(what, ack))
        elif ack.body.strip() not in ("", "{}"):
            self._ws.violate(f"answer to {what}: a body, which Slack ignores")

    def to_suggestion(self, user_id: str, what: str, ack: Ack) -> Json:
        """The options to show, or `{"error": …}`."""
        if not ack.ok:
            self._ws.tell(user_id, _failure(what, ack))
            return {"error": ack.error}
        problems = check_suggestions(ack.json)
        if problems:
            self._ws.violate(f"answer to {what}: {' '.join(str(problem) for problem in problems)}")
            self._ws.tell(user_id, f"{what}: the options could not be loaded")
            return {"error": "invalid_options"}
        options: Json = ack.json
        return options

    def to_submission(self, view: View, ack: Ack) -> SubmitResult:
        """Do what the answer to view_submission says; after a bad or missing one the modal stays, with its values."""
        what = f"view_submission {view.callback_id}"
        if not ack.ok:
            self._ws.tell(view.user, _failure(what, ack))
            return SubmitResult("failed", {}, ack)
        if not ack.body.strip():
            self._views.close_top(view)
            return SubmitResult("closed", {}, ack)
        try:
            return self._follow(view, ack)
        except ApiError as error:
            self._ws.violate(f"answer to {what}: {error.code} {' '.join(error.messages)}".strip())
            self._ws.tell(view.user, f"{what}: {TROUBLE}")
            return SubmitResult("failed", {}, ack)

    def _follow(self, view: View, ack: Ack) -> SubmitResult:
        answer = ack.json
        action = answer.get("response_action") if isinstance(answer, dict) else None
        if action not in _ANSWER_FIELDS:
            raise ApiError(f"unknown response_action {action!r}")
        if set(answer) - {"response_action", _ANSWER_FIELDS[action]}:
            raise ApiError(
                f"unknown properties {sorted(set(answer) - {'response_action', _ANSWER_FIELDS[action]}, key=str)}"
            )
        if action == "errors":
            view.errors = self._checked_errors(view, answer.get("errors"))
            self._ws.changed()
            return SubmitResult("errors", dict(view.errors), ack)
        if action == "update":
            self._views.update(view, answer.get("view"))
            return SubmitResult("updated", {}, ack)
        if action == "push":
            self._views.push(view.user, answer.get("view"))
            return SubmitResult("pushed", {}, ack)
        self._views.clear(view.user)
        return SubmitResult("cleared", {}, ack)

    def _checked_errors(self, view: View, errors: object) -> dict[str, str]:
        if not isinstance(errors, dict) or not errors:
            raise ApiError("errors must be an object with at least one message")
        inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
        for block_id, text in errors.items():
            if block_id not in inputs:
                raise ApiError(f"errors name {block_id!r}, which is not an input block")
            if not isinstance(text, str) or not text:
                raise ApiError(f"the error of {block_id!r} is not a text")
        return dict(errors)


def _failure(what: str, ack: Ack) -> str:
    """What failed and why, for the person who waits; Slack's own word for it stands at the end."""
    late = ack.error == "operation_timeout"
    why = "did not respond within 3 seconds" if late else "could not be reached, or answered with an error"
    return f"{what} failed because the app {why} ({ack.error})"
