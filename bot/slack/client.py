"""Slack's Web API, with a word to telemetry of each call: the one place that every method of the client goes through."""

from __future__ import annotations

import logging
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.directory import REFUSED_TOKEN, UNREACHABLE
from bot.use_cases.telemetry import Telemetry


class SlackClient(AsyncWebClient):
    """slack_sdk's client, seen."""

    def __init__(self, telemetry: Telemetry, **options: Any) -> None:
        super().__init__(**options)
        # Where the logger has no level of its own, slack_sdk writes each request and answer down, for nobody.
        self.logger.setLevel(logging.WARNING)
        self.proxy = None  # slack_sdk takes one from the environment; Datadog isn't reached by one either
        self._telemetry = telemetry

    async def api_call(self, api_method: str, **options: Any) -> AsyncSlackResponse:
        """As slack_sdk's. A method's name is a word of the code."""
        with self._telemetry.call("slack", api_method) as call:
            try:
                return await super().api_call(api_method, **options)
            except SlackApiError as error:
                if not isinstance(getattr(error.response, "data", None), dict):
                    error.response = self._no_answer(error.response)
                call.outcome = _outcome(error)
                raise
            except UNREACHABLE:
                call.outcome = "unreachable"
                raise

    def _no_answer(self, response: Any) -> AsyncSlackResponse:
        """A server in trouble answers in words, or in what is no JSON. It is read as slack_sdk reads a page: as an answer that
        names no error. Else whoever asks which one it is stumbles over what they got."""
        status = response.status_code if isinstance(response, AsyncSlackResponse) else response.status
        return AsyncSlackResponse(
            client=self,
            http_verb="POST",
            api_url="",
            req_args={},
            data={},
            headers=dict(response.headers),
            status_code=status,
        )


def _outcome(error: SlackApiError) -> str:
    reason = error.response.get("error")
    if reason == "ratelimited":
        return "limited"
    return "credentials refused" if reason in REFUSED_TOKEN else "refused"
