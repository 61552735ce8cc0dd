"""What every listener works with, built once by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.catalogue import CatalogueEntry
from bot.domain.people import Actor, Kind
from bot.domain.runs import Run
from bot.domain.workflows import WorkflowDefinition
from bot.slack.incoming import Incoming
from bot.slack.voice import Voice
from bot.use_cases.ports import Directory, OneTimeCodes, Sealer, Store
from bot.use_cases.refuse import note_refused


@dataclass(frozen=True, slots=True)
class Context:
    """What listeners share.

    `start` launches a run that this process holds, `wake` has due runs and messages looked at now; `link` is a run's page in
    Datadog, `execute_url` what a workflow's start is sent to; `search_datadog` and `read_datadog` ask the environment's own
    account, and `entry_text` is a workflow as an entry of the policy file;
    `admins` are whom to ask, `auditors` may look through the trail as they may.
    """

    store: Store
    sealer: Sealer
    codes: OneTimeCodes
    directory: Directory
    voice: Voice
    client: AsyncWebClient
    start: Callable[[Run, CatalogueEntry | None], None]
    wake: Callable[[], None]
    link: Callable[[Run], str | None]
    execute_url: Callable[[CatalogueEntry], str]
    search_datadog: Callable[[str], Awaitable[Sequence[WorkflowDefinition]]]
    read_datadog: Callable[[str], Awaitable[WorkflowDefinition]]
    entry_text: Callable[[WorkflowDefinition], str]
    admitted: frozenset[Kind]
    admins: tuple[str, ...]
    auditors: tuple[str, ...]
    command: str

    async def who(self, incoming: Incoming, other: str | None = None) -> tuple[Actor, frozenset[str]]:
        """The person who acts (or another one), and everything that a rule can know them by.

        Raises SlackUnavailable and NotRecorded.
        """
        actor = await self.directory.actor("" if other else incoming.team_id, other or incoming.user_id)
        groups = await self.store.read(lambda tx: tx.groups_named())
        return actor, await self.directory.subjects(actor, sorted(groups))

    async def admits(self, incoming: Incoming, people: Collection[str], wanted: str) -> bool:
        """Whether the person is one of `people`, who alone may have what is `wanted`, and may act at all; a refusal is
        recorded.

        Raises SlackUnavailable and NotRecorded.
        """
        actor, _ = await self.who(incoming)
        if incoming.user_id in people and actor.may_act(self.admitted):
            return True
        await note_refused(actor, wanted, incoming.channel_id, incoming.request_id, self.store)
        return False
