"""The keys of one Datadog organisation. They are written into request headers, and shown nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.domain.errors import InvalidSettings


@dataclass(frozen=True, slots=True)
class Credentials:
    """Either an API key with an application key, or an OAuth access token. Raises InvalidSettings for anything else.

    Datadog API reference: Authentication. `repr` hides them all.
    """

    api_key: str = field(default="", repr=False)
    app_key: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        keys = bool(self.api_key), bool(self.app_key)
        if self.access_token and any(keys):
            raise InvalidSettings("Give Datadog keys or a Datadog access token, not both.")
        if not self.access_token and not all(keys):
            raise InvalidSettings("Datadog needs an API key and an application key, or an access token.")
        for secret in self.secrets:
            # In a header anything else would be refused deep inside the HTTP library, in words that may quote the key.
            if not (secret.isascii() and secret.isprintable()) or " " in secret:
                raise InvalidSettings("A Datadog key contains a space, a line end or a character that no key has.")

    @property
    def is_bearer(self) -> bool:
        """Whether these are an OAuth access token."""
        return bool(self.access_token)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret text in here, to hide where Datadog's answers quote it."""
        return tuple(filter(None, (self.api_key, self.app_key, self.access_token)))

    def headers(self) -> dict[str, str]:
        """The request headers that carry them."""
        if self.access_token:
            return {"Authorization": f"Bearer {self.access_token}"}
        return {"DD-API-KEY": self.api_key, "DD-APPLICATION-KEY": self.app_key}
