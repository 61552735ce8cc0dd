"""`authenticators`: the apps whose one-time codes prove who approves."""

from __future__ import annotations

import getpass

import click

from bot import connections
from bot.cli.output import load_settings, sentences, wait_for, words
from bot.domain.errors import Refused
from bot.settings import Settings
from bot.use_cases.check_code import remove_authenticator


@click.group()
def authenticators() -> None:
    """Authenticators: the apps whose one-time codes prove who approves."""


@authenticators.command()
@click.argument("user")
@sentences
def remove(user: str) -> None:
    """Remove the authenticator of USER (a Slack user id), as for a lost phone. They set up a new one in Slack."""
    if not wait_for(_remove(load_settings(), user)):
        raise Refused(f"{user} has no authenticator.")
    words.print(f"The authenticator of {user} is removed. Make sure by another way that it is them who asked for it.")


async def _remove(settings: Settings, user: str) -> bool:
    async with connections.open_store(settings) as store:
        return await remove_authenticator(user, getpass.getuser(), store)
