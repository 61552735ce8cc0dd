"""Which workspace a command is about: the one that --workspace or WORKSPACE names, else the only one that is installed."""

from __future__ import annotations

from collections.abc import Sequence

import click
import sqlalchemy as sa
from click.core import ParameterSource

from bot.connections import build_sealer, settings_of
from bot.domain.errors import NotRecorded, UnreadableSecret
from bot.domain.installations import Installation, is_workspace_id
from bot.settings import Settings
from bot.storage import migrate
from bot.storage.engine import cause_of
from bot.storage.installations import all_installations
from bot.use_cases.refresh_token import TOKEN

NAMED = "workspace"  # under this name the main command keeps it for the others


def name_workspace(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Take the option's value. Raises click.BadParameter for what is no id.

    In the environment that is somebody else's variable: Jenkins sets WORKSPACE to a path for every job.
    """
    if value and not is_workspace_id(value):
        if context.get_parameter_source(str(parameter.name)) is ParameterSource.ENVIRONMENT:
            return None
        raise click.BadParameter("a workspace is named by its id, as in T01ACME, an organisation as in E01ACME.")
    context.meta[NAMED] = value or None
    return value


def named_workspace() -> str | None:
    """The workspace that was named for the command that runs just now."""
    context = click.get_current_context(silent=True)
    named = None if context is None else context.meta.get(NAMED)
    return None if named is None else str(named)


def chosen(settings: Settings, *, to_open: bool = True) -> Settings:
    """The settings for the workspace that the command is about; as they are where only one is served.

    Raises click.UsageError where one has to be named, or none may be, and NotRecorded where the main database can't say which
    there are, or where what is `to_open` has no database: opening it would make one.
    """
    named = named_workspace()
    if not settings.oauth:
        if named is not None:
            raise click.UsageError(
                "One workspace is served, as SLACK_CLIENT_ID is not set: leave --workspace and WORKSPACE out."
            )
        if to_open:
            _insist_on_database(settings, "")
        return settings
    found = installations(settings)
    known = {one.id: one for one in found}.get(about(found))
    if known is None:
        said = _which([one for one in found if one.is_installed])
        raise click.UsageError(f"{named} has not installed the bot. {said}" if named else said)
    own = settings_of(settings, known.id, token_of(settings, known))
    if to_open:
        _insist_on_database(own, known.id)
    return own


def _insist_on_database(settings: Settings, workspace_id: str) -> None:
    url = settings.database_url.get_secret_value()
    try:
        if migrate.is_there(url):
            return
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise NotRecorded(f"The database can't be read: {cause_of(error)}. Check DATABASE_URL.") from error
    if workspace_id:
        raise NotRecorded(
            f"{workspace_id} has no database yet. As the owner of the database, run: workflow-bot db upgrade"
        )
    raise NotRecorded("The database is empty. Check DATABASE_URL; run: workflow-bot db upgrade")


def about(found: Sequence[Installation]) -> str:
    """Which of them the command is about: the one that was named, or the only one; else nothing."""
    installed = [one.id for one in found if one.is_installed]
    return named_workspace() or (installed[0] if len(installed) == 1 else "")


def token_of(settings: Settings, installation: Installation) -> str:
    """Its token; empty where there is none any more, or the key to it is missing."""
    try:
        return str(build_sealer(settings).unseal(installation.token)[TOKEN]) if installation.token else ""
    except UnreadableSecret:
        return ""


def installations(settings: Settings) -> list[Installation]:
    """Everybody who has installed the bot, removed ones too; nobody where there is no database yet. Raises NotRecorded."""
    url = settings.database_url.get_secret_value()
    try:
        return _installations_at(url) if migrate.is_there(url) else []
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise NotRecorded(
            f"The main database can't say which workspaces there are: {cause_of(error)}. Check DATABASE_URL; where the tables"
            " are behind, run: workflow-bot db upgrade"
        ) from error


def _installations_at(url: str) -> list[Installation]:
    engine = migrate.plain_engine(url)
    try:
        with engine.connect() as connection:
            return all_installations(connection)
    finally:
        engine.dispose()


def _which(installed: list[Installation]) -> str:
    if not installed:
        return "No workspace has installed the bot yet. Open /slack/install at the bot's address, and name it: --workspace T…"
    there = ", ".join(f"{one.id} ({one.name})" for one in installed)
    return (
        f"Name the workspace, as in workflow-bot --workspace {installed[0].id} …, or set WORKSPACE. There are: {there}."
    )
