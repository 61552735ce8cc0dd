"""Datadog accounts: each one organisation, with its site and the names of the environment variables that hold its keys."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_ACCOUNT = "default"  # the one whose keys are the bot's own settings


@dataclass(frozen=True, slots=True)
class Account:
    """One entry of the policy's `accounts`. Keys are named, never held: the policy file is read by many."""

    name: str
    site: str
    api_key_env: str = ""
    app_key_env: str = ""
    access_token_env: str = ""
