"""Bring the database's schema up to date. Safe to run from several replicas at once: one does it, the others wait."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot.domain.errors import NotRecorded
from bot.storage.engine import make_parent, parse_url, postgres_engine, prepare_sqlite, schema_of
from bot.storage.roles import bot_roles, grant, make_role

log = logging.getLogger(__name__)

# Any number that no other program takes for a lock in the same database.
LOCK = 7_126_403_518
LOCK_WAIT = 10  # seconds that a table is waited for
LOCK_NOT_AVAILABLE = "55P03"  # Postgres docs: appendix A, error codes
IN_USE = (
    f"Something holds a table that is to be changed, and did not let go of it within {LOCK_WAIT} s, so nothing was changed. End"
    " it, or wait for its end (pg_stat_activity shows it: a backup, a report, a psql with an open transaction); then run it"
    " again."
)
# Alembic keeps what it works on in one place of the process.
_alembic = threading.Lock()


def folder() -> Path:
    """Where the migrations are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def upgrade(url: str, revision: str = "head", roles: Collection[str] = ()) -> None:
    """Migrate up to `revision`, and give roles of the bot's what new tables need; `roles` are those that the tables are new
    to. Raises InvalidSettings for a bad URL, NotRecorded where somebody holds a table for long, sqlalchemy errors where the
    database refuses.

    A schema that a newer version of the bot has made is left as it is: this version works on it (a test holds the newer
    one to that), and a replica that is restarted while others are being upgraded must come up.
    """

    def action(config: Config) -> None:
        connection: sa.Connection = config.attributes["connection"]
        current = revision_of(connection)
        if revision == "head" and is_ahead(current):
            log.warning("the database's schema is newer than this version of the bot; it is left as it is")
            return
        command.upgrade(config, revision)
        if connection.dialect.name == "postgresql" and revision_of(connection) != current:
            for role in sorted({*bot_roles(connection), *roles}):
                grant(connection, role)

    _run(url, action)


def roles_of(url: str) -> list[str]:
    """The roles of a Postgres that the bot runs as; none elsewhere, or where there are no tables yet."""
    engine = plain_engine(url)
    try:
        with engine.connect() as connection:
            return bot_roles(connection) if connection.dialect.name == "postgresql" else []
    finally:
        engine.dispose()


def downgrade(url: str, revision: str) -> None:
    """Migrate down to `revision`; `base` removes every table."""
    _run(url, lambda config: command.downgrade(config, revision))


def revisions(url: str) -> tuple[str | None, str | None]:
    """The revision that the database has, and the newest that this version of the bot knows."""
    engine = plain_engine(url)
    try:
        with engine.connect() as connection:
            return revision_of(connection), newest()
    finally:
        engine.dispose()


def revision_at(url: str) -> str | None:
    """The revision that the database has; None where it has none of our tables. To look at an SQLite file that is not there
    doesn't make it."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        return None
    return revisions(url)[0]


def is_there(url: str) -> bool:
    """Whether the database has tables of the bot's."""
    return revision_at(url) is not None


def is_current(revision: str | None) -> bool:
    """Whether this version of the bot can work on a database of this revision."""
    return revision == newest() or is_ahead(revision)


def newest() -> str | None:
    """The newest revision that this version of the bot knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def revision_of(connection: sa.Connection) -> str | None:
    """The revision that the database has; None where it has none of our tables."""
    return MigrationContext.configure(connection).get_current_revision()


def config_for(connection: sa.Connection) -> Config:
    """What Alembic's commands need, to run on this connection and inside its transaction."""
    config = _config()
    config.attributes["connection"] = connection
    return config


def is_ahead(revision: str | None) -> bool:
    """Whether this version of the bot doesn't know the revision: a newer one has made it."""
    scripts = ScriptDirectory.from_config(_config()).walk_revisions()
    return revision is not None and revision not in {script.revision for script in scripts}


def make_schema(connection: sa.Connection, schema: str | None) -> None:
    """Make a workspace's schema where it isn't there; whoever may not make one is not asked to where it is."""
    there = sa.text("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = :schema")
    if schema and not connection.execute(there, {"schema": schema}).scalar():
        connection.execute(sa.text(f"CREATE SCHEMA {connection.dialect.identifier_preparer.quote(schema)}"))


def make_bot_role(url: str, name: str) -> bool:
    """As `roles.make_role`, in a transaction of its own."""
    engine = plain_engine(url)
    try:
        with engine.begin() as connection:
            return make_role(connection, name)
    finally:
        engine.dispose()


def _run(url: str, action: Callable[[Config], None]) -> None:
    engine = plain_engine(url)
    try:
        # On SQLite BEGIN IMMEDIATE keeps others out until the commit; on Postgres the lock does.
        with _alembic, engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
                make_schema(connection, schema_of(parse_url(url)))
                # Whoever waits for a table is waited for by all who come after: rather fail, and be started again.
                connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}s'"))
            action(config_for(connection))
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise NotRecorded(IN_USE) from error
        raise
    finally:
        engine.dispose()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    return config


def plain_engine(text: str) -> sa.Engine:
    """An engine without a pool and without a limit on a statement's time. Raises InvalidSettings."""
    url = parse_url(text)
    if url.get_backend_name() == "sqlite":
        make_parent(url)
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        prepare_sqlite(engine, "BEGIN IMMEDIATE")
        return engine
    # A migration may take longer than a request, and waits for the other replica's.
    return postgres_engine(url, "-c timezone=UTC", poolclass=sa.pool.NullPool)
