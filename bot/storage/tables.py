"""The tables. Every change here has a migration in `migrations/`; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no time zone, so it is added again on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


policies = sa.Table(
    "policies",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("applied_at", Moment, nullable=False),
    sa.Column("applied_by", sa.Text, nullable=False),
)

workflows = sa.Table(
    "workflows",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("datadog_id", sa.String(100), nullable=False),
    sa.Column("account", sa.String(100), nullable=False),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("inputs", sa.JSON, nullable=False),
    sa.Column("definition_hash", sa.String(64), nullable=False),
    sa.Column("policy_version", sa.Integer, nullable=False),
    sa.Column("datadog_hash", sa.String(64), nullable=False),
    sa.Column("wording", sa.JSON, nullable=False),
    sa.Column("unfit", sa.Text, nullable=False),
    sa.Column("lock_on", sa.JSON, nullable=False),
    sa.Column("limits", sa.JSON, nullable=False),
)

# The key keeps the workflows of a target in the order in which lists show them, so the first hundred cost a hundred rows.
# A bot from before that leaves `title_key` empty: what it applies is listed by name until it is applied anew.
workflow_targets = sa.Table(
    "workflow_targets",
    metadata,
    sa.Column("target", sa.String(120), primary_key=True),
    sa.Column("title_key", sa.String(150), primary_key=True, server_default=sa.text("''")),
    sa.Column("workflow", sa.String(100), primary_key=True),
)

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("effect", sa.String(10), nullable=False),
    sa.Column("subject", sa.String(40), nullable=False),
    sa.Column("target", sa.String(120), nullable=False),
    sa.Column("channel", sa.String(40), nullable=False),
    sa.Column("conditions", sa.JSON, nullable=False),
    sa.Column("rule", sa.Integer, nullable=False),  # 0: given in Slack or on the command line, not by the file
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("until", Moment),
    sa.Column("approval", sa.JSON(none_as_null=True)),
    sa.Index(None, "subject", "target"),
    # Only grants of user groups are in it, so that the groups are found past any number of people.
    sa.Index(
        "ix_grants_groups",
        "subject",
        sqlite_where=sa.text("substr(subject, 1, 1) = 'S'"),
        postgresql_where=sa.text("substr(subject, 1, 1) = 'S'"),
    ),
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("site", sa.String(100), nullable=False),
    sa.Column("api_key_env", sa.Text, nullable=False),
    sa.Column("app_key_env", sa.Text, nullable=False),
    sa.Column("access_token_env", sa.Text, nullable=False),
)

freezes = sa.Table(
    "freezes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("targets", sa.JSON, nullable=False),
    sa.Column("begins", Moment, nullable=False),
    sa.Column("ends", Moment, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

# Locks that people took. A run's own lock is `runs.lock_key`.
locks = sa.Table(
    "locks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("workflow", sa.String(100), nullable=False),
    sa.Column("conditions", sa.JSON, nullable=False),
    sa.Column("owner_id", sa.String(40), nullable=False),
    sa.Column("owner_name", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("taken_at", Moment, nullable=False),
    sa.Column("until", Moment, nullable=False),
    sa.Index(None, "workflow"),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(20), primary_key=True),
    sa.Column("request_key", sa.String(200), nullable=False, unique=True),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("team_id", sa.String(40), nullable=False),
    sa.Column("user_id", sa.String(40), nullable=False),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("channel_id", sa.String(40), nullable=False),
    sa.Column("workflow", sa.String(100), nullable=False),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("datadog_id", sa.String(100), nullable=False),
    sa.Column("account", sa.String(100), nullable=False),
    sa.Column("inputs", sa.JSON, nullable=False),
    sa.Column("secrets", sa.JSON, nullable=False),
    sa.Column("sealed", sa.Text),
    sa.Column("definition_hash", sa.String(64), nullable=False),
    sa.Column("policy_version", sa.Integer, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due", Moment),
    sa.Column("instance_id", sa.String(100)),
    sa.Column("error", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("steps", sa.JSON, nullable=False),
    sa.Column("outputs", sa.JSON),
    sa.Column("looks", sa.Integer, nullable=False),
    sa.Column("cancel_by", sa.String(40)),
    sa.Column("cancel_sent", sa.Boolean, nullable=False),
    sa.Column("cancel_asked_at", Moment),
    # Set while the run is open: the database lets no two open runs have the same.
    sa.Column("lock_key", sa.Text, unique=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("launched_at", Moment),
    sa.Column("ended_at", Moment),
    sa.Column("accepted_at", Moment),
    sa.Column("bound_to", sa.String(64), nullable=False, server_default=sa.text("''")),
    sa.Index(None, "user_id", "created_at"),
    sa.Index(None, "workflow", "accepted_at"),
    sa.Index(None, "created_at"),
    # Only open runs are in it, so it stays small however many have ended.
    sa.Index(
        "ix_runs_state_due",
        "state",
        "due",
        sqlite_where=sa.text("due IS NOT NULL"),
        postgresql_where=sa.text("due IS NOT NULL"),
    ),
    # Likewise, for counting them: also those that nothing is due for.
    sa.Index(
        "ix_runs_open",
        "state",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    ),
)

audit_records = sa.Table(
    "audit_records",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("act", sa.String(40), nullable=False),
    sa.Column("user_id", sa.String(40), nullable=False),
    sa.Column("workflow", sa.String(100)),
    sa.Column("run_id", sa.String(20)),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index(None, "run_id"),
    sa.Index(None, "user_id", "seq"),
    sa.Index(None, "workflow", "seq"),
    sa.Index(None, "act", "seq"),
    sa.Index(None, "at"),
)

# One row: the end of the chain, with the time of its last record, so that time never runs backwards in the trail, and the
# marks of the keys that it was made with, newest first, so that no bot goes on with an older one. It is always
# the last row a transaction takes, so writers can't wait for each other in a ring.
audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("at", Moment),
    sa.Column("key_marks", sa.Text, nullable=False, server_default=sa.text("''")),
)

# One row for each range that was sealed into a file: records are deleted only where a row here covers them. `hash` is the
# last record's, `digest` the file's SHA-256. The chain holds the same in a record of the act `trail sealed`.
audit_seals = sa.Table(
    "audit_seals",
    metadata,
    sa.Column("last_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)

# One row for each kind of witness that is sent signed heads: how far it was told, and when the next is due; while a replica
# sends one, `due` is the end of its lease.
audit_witnesses = sa.Table(
    "audit_witnesses",
    metadata,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("told", sa.BigInteger, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("due", Moment),
    sa.Column("error", sa.Text),
)

# One row: how far the audit channel has been told, and until when a replica holds the telling.
audit_posts = sa.Table(
    "audit_posts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("told", sa.BigInteger, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("held_until", Moment),
    sa.Column("error", sa.Text),
)

# The approval of a run, and what each person has answered. A row of `approvals` is what replicas that decide at the same
# moment take turns at.
approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("run_id", sa.String(20), primary_key=True),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("requirement", sa.JSON, nullable=False),
    sa.Column("bound_to", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("rule", sa.Integer, nullable=False),
    sa.Column("asked_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("escalated", sa.Boolean, nullable=False),
    sa.Column("due", Moment),
    sa.Column("decided_at", Moment),
    # Only open approvals have a `due`, so it stays small.
    sa.Index(
        "ix_approvals_due", "due", sqlite_where=sa.text("due IS NOT NULL"), postgresql_where=sa.text("due IS NOT NULL")
    ),
)

reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("run_id", sa.String(20), primary_key=True),
    sa.Column("user_id", sa.String(40), primary_key=True),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("approves", sa.Boolean, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("fits", sa.JSON, nullable=False),
    sa.Column("bound_to", sa.String(64), nullable=False),
    sa.Column("own", sa.Boolean, nullable=False),
)

# The authenticators of approvers: a second proof of who presses. `counter` is the last time step whose code was used.
authenticators = sa.Table(
    "authenticators",
    metadata,
    sa.Column("team_id", sa.String(40), primary_key=True),
    sa.Column("user_id", sa.String(40), primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("pending", sa.Text, nullable=False),
    sa.Column("counter", sa.BigInteger, nullable=False),
    sa.Column("misses", sa.Integer, nullable=False),
    sa.Column("blocked_until", Moment),
)

# The outbox: a run's one live message, the word to the requester at its end, and for each place where approvers are asked
# `ask:` and `remind:` with that place. `revision` grows with each change to be
# told, so that none is lost while one is being posted; `held_until` is the lease of whoever posts it.
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("run_id", sa.String(20), primary_key=True),
    sa.Column("kind", sa.String(60), primary_key=True),
    sa.Column("channel_id", sa.String(40), nullable=False),
    sa.Column("posted_in", sa.String(40)),
    sa.Column("ts", sa.String(40)),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due", Moment),
    sa.Column("held_until", Moment),
    sa.Column("error", sa.Text),
    sa.Index(
        "ix_messages_due", "due", sqlite_where=sa.text("due IS NOT NULL"), postgresql_where=sa.text("due IS NOT NULL")
    ),
)

# The bots that serve: each writes its own row again and again (bot/domain/replicas.py says what is in it).
replicas = sa.Table(
    "replicas",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("version", sa.String(40), nullable=False),
    sa.Column("socket_mode", sa.Boolean, nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("heard_at", Moment),
    sa.Column("command", sa.String(40), nullable=False),
    sa.Column("refused", sa.BigInteger, nullable=False),
    sa.Column("refused_at", Moment),
    sa.Column("connections", sa.Integer),
    sa.Column("connected_at", Moment),
    sa.Column("app_id", sa.String(40), nullable=False),
)

# The main database: whoever has installed the bot (bot/domain/installations.py says what is in it); tokens are sealed.
# `held_until`: a replica refreshes the token, and others wait. A workspace's own database: its own row, without tokens, as
# its trail last told of it.
installations = sa.Table(
    "installations",
    metadata,
    sa.Column("id", sa.String(24), primary_key=True),
    sa.Column("team_id", sa.String(24), nullable=False),
    sa.Column("enterprise_id", sa.String(24), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("app_id", sa.String(40), nullable=False),
    sa.Column("bot_user_id", sa.String(40), nullable=False),
    sa.Column("bot_id", sa.String(40), nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("refresh_token", sa.Text, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("installed_at", Moment, nullable=False),
    sa.Column("installed_by", sa.String(40), nullable=False),
    sa.Column("removed_at", Moment),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("trouble", sa.Text, nullable=False),
    sa.Column("held_until", Moment),
)

# What a browser brought back from Slack: each state is good once. Only a digest is kept, until it has expired.
oauth_states = sa.Table(
    "oauth_states",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("expires_at", Moment, nullable=False),
)
