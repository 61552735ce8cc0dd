"""`db`: the database's schema."""

from __future__ import annotations

import click
import sqlalchemy as sa

from bot.cli.output import load_settings, sentences, words
from bot.domain.errors import NotRecorded
from bot.settings import Settings
from bot.storage import migrate


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@sentences
def upgrade() -> None:
    """Bring the schema up to date. Safe to run at any time, and from several replicas at once."""
    upgrade_schema(load_settings())
    words.print("The database is up to date.")


def upgrade_schema(settings: Settings) -> None:
    """Migrate to the newest revision. Raises NotRecorded, with what to do, where the database can't be changed."""
    url = settings.database_url.get_secret_value()
    try:
        migrate.upgrade(url)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise NotRecorded(
            f"The database can't be brought up to date: {str(cause).strip().splitlines()[0]}"
            " Check DATABASE_URL, that the server runs, and that the bot may create tables."
        ) from error
