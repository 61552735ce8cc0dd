"""What several checks need to know, found out once: the policy file, and what the database holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bot import connections
from bot.cli.chosen import about, chosen, installations
from bot.domain.accounts import Account
from bot.domain.audit import Record
from bot.domain.catalogue import CatalogueEntry
from bot.domain.errors import InvalidPolicy, InvalidSettings, NotRecorded
from bot.domain.installations import Installation
from bot.domain.policy import EVERYWHERE, Grant, Policy
from bot.domain.replicas import Replica
from bot.policy_file.compile import compile_policy
from bot.policy_file.reader import PolicySource, read_policy
from bot.settings import Settings
from bot.storage import migrate
from bot.use_cases.ports import WitnessState


@dataclass(frozen=True, slots=True)
class Held:
    """What the database holds. `now` is its time."""

    now: datetime
    version: int
    digest: str
    entries: list[CatalogueEntry]
    grants: list[Grant]
    accounts: list[Account]
    replicas: list[Replica]
    sealed: dict[str, str]  # by what it belongs to
    records: list[Record]  # the first and the last
    tampers: bool  # whether the bot's own role may change the audit trail
    witnesses: list[WitnessState]


@dataclass(frozen=True, slots=True)
class Case:
    """Everything known before a check begins. `settings` are those of the workspace that is looked at.

    Where many are served, `all` are the process's, `workspace` is the one, empty where it is the main database, and
    `installations` has everybody who has installed the bot.
    `source` and `policy` are None for a file that is not there or not valid, and `wrong` says why; `held` is None where
    the database can't be read or has another schema.
    """

    settings: Settings
    environment: Mapping[str, str]
    source: PolicySource | None
    policy: Policy | None
    wrong: str
    held: Held | None
    all: Settings
    workspace: str
    installations: list[Installation]

    def now(self) -> datetime:
        """The database's time, which is what replicas' times are; without one, ours."""
        return self.held.now if self.held else datetime.now(UTC)

    @property
    def accounts(self) -> dict[str, Account]:
        """Every Datadog account beside the environment's own: in force, and of the file."""
        found = [*(self.held.accounts if self.held else ()), *(self.policy.accounts if self.policy else ())]
        return {account.name: account for account in found}

    @property
    def entries(self) -> dict[str, CatalogueEntry]:
        """Every workflow: in force, and of the file."""
        found = [*(self.held.entries if self.held else ()), *(self.policy.entries if self.policy else ())]
        return {entry.name: entry for entry in found}

    @property
    def grants(self) -> list[Grant]:
        """Every grant: in force, and of the file."""
        return [*(self.held.grants if self.held else ()), *(self.policy.grants if self.policy else ())]

    @property
    def channels(self) -> list[str]:
        """The channels that rules name: to run in, and to ask approvers in."""
        named = {grant.channel for grant in self.grants}
        named |= {grant.approval.channel for grant in self.grants if grant.approval is not None}
        return sorted(named - {EVERYWHERE, ""})

    @property
    def groups(self) -> list[str]:
        """The user groups that rules name: of those who may run, and of approvers."""
        named = {grant.subject for grant in self.grants}
        for grant in self.grants:
            named |= set(grant.approval.subjects) if grant.approval is not None else set()
        return sorted(subject for subject in named if subject.startswith("S"))

    @property
    def replicas(self) -> list[Replica]:
        """The bots that serve, and those that stopped without a word lately."""
        return self.held.replicas if self.held else []


async def open_case(all_settings: Settings, environment: Mapping[str, str]) -> Case:
    """Find out what can be found out. What keeps something from being found out is told by the checks."""
    settings, workspace, found = all_settings, "", []
    try:
        found = installations(all_settings) if all_settings.oauth else []
        workspace = about(found) if all_settings.oauth else ""
        settings = chosen(all_settings, to_open=False) if workspace or not all_settings.oauth else all_settings
    except (InvalidSettings, NotRecorded):
        pass  # the check of the database tells
    source, policy, wrong = None, None, ""
    try:
        source = read_policy(settings.policy_file)
        policy = compile_policy(source, None)
    except InvalidPolicy as error:
        source, wrong = None, str(error)
    held = await read_held(settings)
    return Case(settings, environment, source, policy, wrong, held, all_settings, workspace, found)


async def read_held(settings: Settings) -> Held | None:
    """What the database of these settings holds; None where it can't be read or has another schema."""
    url = settings.database_url.get_secret_value()
    try:
        if await asyncio.to_thread(migrate.revision_at, url) != migrate.newest():
            return None
        async with connections.open_store(settings) as store:
            return await store.read(_read)
    except (sa.exc.SQLAlchemyError, OSError, InvalidSettings, NotRecorded):
        return None


def _read(tx: Any) -> Held:
    sealed = {f"the run {run_id}": text for run_id, text in tx.sealed_inputs().items()}
    sealed |= {f"the token of {one.id}": one.token for one in tx.installations() if one.token}
    sealed |= {f"the authenticator of {user_id}": text for user_id, text in tx.sealed_authenticators().items()}
    return Held(
        now=tx.now,
        version=tx.policy_version(),
        digest=tx.policy_digest(),
        entries=tx.entries(),
        grants=tx.all_grants(),
        accounts=tx.accounts(),
        replicas=tx.replicas(),
        sealed=sealed,
        records=[*tx.records(0, 1), *tx.last_records(1)],
        tampers=tx.may_tamper(),
        witnesses=tx.witness_states(),
    )
