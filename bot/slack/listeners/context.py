"""What every listener works with, built once by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.people import Kind
from bot.domain.runs import Run
from bot.slack.voice import Voice
from bot.use_cases.ports import Directory, Sealer, Store


@dataclass(frozen=True, slots=True)
class Context:
    """What listeners share.

    `start` launches a run that this process holds, `wake` has due runs looked at now; `link` is a run's page in Datadog;
    `admins` are whom to ask.
    """

    store: Store
    sealer: Sealer
    directory: Directory
    voice: Voice
    client: AsyncWebClient
    start: Callable[[Run], None]
    wake: Callable[[], None]
    link: Callable[[Run], str | None]
    admitted: frozenset[Kind]
    admins: tuple[str, ...]
    command: str
