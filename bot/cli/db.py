"""`db`: the database's schema, backups of it, and moving it elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import click
import sqlalchemy as sa
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from bot import connections
from bot.cli.chosen import installations, named_workspace
from bot.cli.output import load_all_settings, load_settings, sentences, wait_for, words, wrong_usage
from bot.domain.audit_keys import Keys
from bot.domain.errors import NotRecorded, Refused, WorkflowBotError
from bot.domain.replicas import Replica
from bot.settings import Settings
from bot.storage import migrate
from bot.storage.backup import back_up, insist_on_new
from bot.storage.condition import sqlite_file
from bot.storage.engine import cause_of, parse_url, schema_of, workspace_url
from bot.storage.move import check_target
from bot.storage.move import move as move_rows


@click.group()
def db() -> None:
    """The database: its schema, backups, and moving to another one."""


@db.command()
@sentences
def upgrade() -> None:
    """Bring the schema up to date. Safe to run at any time, and from several replicas at once.

    Where many workspaces are served, the databases of all of them.
    """
    settings = load_all_settings()
    upgrade_schema(settings)
    with _database_words("The databases of workspaces could not be looked for"):
        owned = _workspaces(settings) | _there(settings)  # what was removed and deleted is not made again
    roles = migrate.roles_of(settings.database_url.get_secret_value()) if owned else []
    for workspace in owned.values():
        upgrade_schema(workspace, roles)
    words.print(
        "The database is up to date." if not owned else f"The main database and {len(owned)} more are up to date."
    )


@db.command()
@click.argument("name")
@sentences
def role(name: str) -> None:
    """Make the Postgres role NAME for the bot to run as: it can add to the audit trail, and change nothing in it.

    Run this as the owner of the tables; again at any time, to give it exactly these rights. Where many workspaces are
    served, it has them in the databases of all of them.
    """
    settings = load_all_settings()
    try:
        made = migrate.make_bot_role(settings.database_url.get_secret_value(), name)
        for workspace in _there(settings).values():
            migrate.make_bot_role(workspace.database_url.get_secret_value(), name)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise NotRecorded(
            f"The role could not be set up: {cause_of(error)}."
            " Run this as the owner of the tables, who may make roles; or make the role first, and run this again."
        ) from error
    done = "Made the role" if made else "The role"
    how = " Set its password: ALTER ROLE … PASSWORD, or \\password in psql." if made else ""
    words.print(f"{done} {name}: it has the rights that the bot needs, and no more.{how}", markup=False)


def upgrade_schema(settings: Settings, roles: Collection[str] = ()) -> None:
    """Migrate to the newest revision. `roles` get the bot's rights on new tables.

    Raises NotRecorded, with what to do, where the database can't be changed.
    """
    url = settings.database_url.get_secret_value()
    try:
        migrate.upgrade(url, roles=roles)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise NotRecorded(
            f"The database can't be brought up to date: {cause_of(error)}."
            " Check DATABASE_URL, that the server runs, and that the bot may create tables."
        ) from error


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@sentences
def backup(file: Path) -> None:
    """Copy the SQLite database into FILE, whole and checked, while the bot goes on serving.

    Where many workspaces are served, each of their databases beside it, with the workspace's id in its name; or one of
    them alone: workflow-bot --workspace T… db backup FILE.
    """
    todo = _chosen(file)
    for settings, target in todo:  # all names before the first copy: it is all of them or none
        insist_on_new(target)
        _file_of(settings)
    for settings, target in todo:
        source = _file_of(settings)
        try:
            size = back_up(source, target)
        except (sqlite3.Error, OSError) as error:
            raise NotRecorded(f"No backup was made: {error}.") from error
        words.print(f"Backed up {source} to {target}: {size:,} bytes, whole.", markup=False)


def _file_of(settings: Settings) -> Path:
    source = sqlite_file(settings.database_url.get_secret_value())
    if source is None:
        raise Refused("This is a Postgres: back it up with pg_dump, as docs/operations.md says.")
    if not source.exists():
        raise Refused(f"There is no database at {source}.")
    return source


def _chosen(file: Path) -> list[tuple[Settings, Path]]:
    """The databases that a backup is of, and where each goes: first those of workspaces, so that the main one, which names
    them, is never older than they are."""
    if named_workspace():
        return [(load_settings(), file)]
    settings = load_all_settings()
    beside = [
        (workspace, file.with_name(f"{file.stem}.{name}{file.suffix}")) for name, workspace in _there(settings).items()
    ]
    return [*beside, (settings, file)]


def _workspaces(settings: Settings, *, removed_too: bool = False) -> dict[str, Settings]:
    """The settings of each workspace that has installed the bot; none where only one is served."""
    if not settings.oauth:
        return {}
    found = [one for one in installations(settings) if one.is_installed or removed_too]
    return {one.id: connections.settings_of(settings, one.id, "") for one in found}


@db.command()
@click.option("--to", "target", required=True, help="Where to: postgresql://… or sqlite:///…, with nothing in it.")
@sentences
def move(target: str) -> None:
    """Copy everything into another, empty database, verify the audit trail there, and leave this one as it is.

    Stop the bot first. A password need not be in the URL: PGPASSWORD and ~/.pgpass count. Where many workspaces are
    served, their databases are moved one after the other, and the main one last; one of them alone:
    workflow-bot --workspace T… db move --to …, with the URL of the main database.
    """
    with wrong_usage():
        parse_url(target, "--to")
    todo = _to_move(target)
    for name, settings, url in todo:
        with _naming(name):
            _check_move(settings, url)
    for number, (name, settings, url) in enumerate(todo):
        with _naming(name, [url for _, _, url in todo[:number]]):
            _move(name, settings, url)
    words.print("Set DATABASE_URL to the new database and start the bot. Keep the old one until you trust the new one.")


def _to_move(target: str) -> list[tuple[str, Settings, str]]:
    """By what each is called, and where each goes; the only one is not called anything."""
    named = named_workspace()
    if named:
        return [("", load_settings(), workspace_url(target, named))]
    settings = load_all_settings()
    with _database_words():
        others = [(name, one, workspace_url(target, name)) for name, one in _there(settings).items()]
    return [*others, ("The main database" if others else "", settings, target)]


@contextlib.contextmanager
def _naming(name: str, moved: Sequence[str] = ()) -> Iterator[None]:
    """Have a failure say which of many it is about, and what was `moved` to these URLs before it."""
    try:
        yield
    except WorkflowBotError as error:
        if not name:
            raise
        clear = "; ".join(_how_to_clear(url) for url in moved)
        left = (
            f"\nMoved before that: {len(moved)} workspace(s). To begin anew, take them away there: {clear}"
            if moved
            else ""
        )
        raise NotRecorded(f"{name}: {error}{left}") from error


def _how_to_clear(url: str) -> str:
    file = sqlite_file(url)
    return f"delete {file}" if file is not None else f"DROP SCHEMA {schema_of(parse_url(url))} CASCADE"


def _there(settings: Settings) -> dict[str, Settings]:
    """Of `_workspaces`, those that have a database."""
    owned = _workspaces(settings, removed_too=True)
    return {name: one for name, one in owned.items() if migrate.is_there(one.database_url.get_secret_value())}


def _check_move(settings: Settings, target: str) -> None:
    source = settings.database_url.get_secret_value()
    file, other = sqlite_file(source), sqlite_file(target)
    if file is not None and not file.exists():
        raise Refused(f"There is no database at {file}.")
    if sa.make_url(source) == sa.make_url(target) or (file and other and file.resolve() == other.resolve()):
        raise Refused("That is the database itself. Name another one.")
    with _database_words():
        serving = wait_for(_serving(settings))
        if serving:
            hosts = ", ".join(sorted({replica.host for replica in serving}))
            raise Refused(f"A bot serves from this database ({hosts}). Stop it first, so that nothing is left behind.")
        check_target(target)


def _move(name: str, settings: Settings, target: str) -> None:
    source, begin = settings.database_url.get_secret_value(), f"{name}: " if name else ""
    with _database_words():
        rows = _moved(source, target, settings.audit_keys)
    words.print(f"{begin}Moved {sum(rows.values()):,} rows of {len(rows)} tables.")
    words.print(f"{begin}The audit trail is whole: {rows['audit_records']:,} records, one chain, as it was.")


def _moved(source: str, target: str, keys: Keys) -> dict[str, int]:
    columns = (TextColumn("{task.description:18}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=words, disable=not sys.stderr.isatty()) as progress:
        tasks: dict[str, TaskID] = {}

        def show(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = progress.add_task(table, total=total)
            progress.update(tasks[table], completed=done)

        return move_rows(source, target, keys, show)


async def _serving(settings: Settings) -> list[Replica]:
    current, newest = await asyncio.to_thread(migrate.revisions, settings.database_url.get_secret_value())
    if current != newest:
        return []  # refused for that very soon
    async with connections.open_store(settings) as store:
        return await store.read(lambda tx: [replica for replica in tx.replicas() if replica.is_alive(tx.now)])


@contextlib.contextmanager
def _database_words(what: str = "Nothing was moved") -> Iterator[None]:
    try:
        yield
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise NotRecorded(f"{what}: {cause_of(error)}.") from error
