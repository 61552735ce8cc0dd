from __future__ import annotations

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.app import build_app
from bot.slack.heard import Heard


async def _nobody(_: object) -> None:
    raise AssertionError("nobody asks")


def test_bolt_says_nothing_of_an_environment_that_it_is_not_to_use(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"):
        monkeypatch.setenv(name, "of the bot")
    build_app(AsyncWebClient(), _nobody, Heard(), None)  # type: ignore[arg-type]  # it is never asked
    assert caplog.messages == []
