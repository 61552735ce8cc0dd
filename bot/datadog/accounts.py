"""The clients of all Datadog accounts over one pool: the environment's own, and those that the policy in force names."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

import httpx

from bot.datadog.client import Datadog
from bot.datadog.credentials import Credentials
from bot.datadog.sites import Site, find_site
from bot.domain.accounts import DEFAULT_ACCOUNT, Account
from bot.domain.errors import InvalidSettings
from bot.use_cases.telemetry import Telemetry

log = logging.getLogger(__name__)

Load = Callable[[], Awaitable[Iterable[Account]]]


class Accounts:
    """Clients by account. `refresh` takes in what an applied policy has changed, so that nothing has to be restarted.

    `keep_secret` is told each key that is read, before anything is done with it.
    """

    def __init__(
        self,
        default: Datadog,
        http: httpx.AsyncClient,
        environment: Mapping[str, str],
        base_url: str,
        load: Load,
        keep_secret: Callable[[str], None],
        telemetry: Telemetry | None = None,
    ) -> None:
        self._default = default
        self._http = http
        self._environment = environment
        self._base_url = base_url
        self._load = load
        self._keep_secret = keep_secret
        self._telemetry = telemetry
        self._clients: dict[str, tuple[Account, Datadog]] = {}

    def get(self, name: str) -> Datadog | None:
        """The account's client; None where it isn't known, or its keys aren't in the environment."""
        if name == DEFAULT_ACCOUNT:
            return self._default
        found = self._clients.get(name)
        return found[1] if found else None

    def own(self) -> Datadog:
        """The environment's own account."""
        return self._default

    async def refresh(self) -> None:
        """Make clients for the accounts of the policy in force. Raises NotRecorded."""
        accounts = list(await self._load())
        kept = {account.name: pair for account in accounts if (pair := self._kept(account)) is not None}
        for account in accounts:
            if account.name not in kept:
                try:
                    kept[account.name] = (account, self.open(account))
                except InvalidSettings as error:
                    log.error("the Datadog account %s can't be used: %s", account.name, error)
        self._clients = kept

    def open(self, account: Account, site: Site | None = None) -> Datadog:
        """A client for the account. Raises InvalidSettings where its site is unknown or its keys are missing."""
        site = site or find_site(account.site)
        credentials = Credentials(
            api_key=self._secret(account.api_key_env),
            app_key=self._secret(account.app_key_env),
            access_token=self._secret(account.access_token_env),
        )
        return Datadog(credentials, self._base_url or site.api_url, self._http, site, telemetry=self._telemetry)

    def _kept(self, account: Account) -> tuple[Account, Datadog] | None:
        known = self._clients.get(account.name)
        return known if known is not None and known[0] == account else None

    def _secret(self, variable: str) -> str:
        """The value of a variable, or of the file that `NAME_FILE` names."""
        if not variable:
            return ""
        file = self._environment.get(f"{variable}_FILE", "").strip()
        try:
            value = Path(file).read_text("utf-8").strip() if file else self._environment.get(variable, "").strip()
        except (OSError, UnicodeDecodeError):
            raise InvalidSettings(f"{variable}_FILE names a file that can't be read.") from None
        if not value:
            raise InvalidSettings(f"The environment variable {variable} is not set.")
        self._keep_secret(value)
        return value
