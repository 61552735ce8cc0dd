"""The trail is guarded, sealed and witnessed"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

APPEND_ONLY = "the audit trail is append-only"
DOOR = (
    "BEGIN IF NOT EXISTS (SELECT 1 FROM audit_seals WHERE OLD.seq BETWEEN first_seq AND last_seq) "
    "THEN RAISE EXCEPTION 'a record leaves the audit trail only by being sealed'; END IF; RETURN OLD; END"
)


def upgrade() -> None:
    op.add_column("audit_head", sa.Column("at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "audit_seals",
        sa.Column("last_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("last_seq", name=op.f("pk_audit_seals")),
    )
    op.create_table(
        "audit_witnesses",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_witnesses")),
    )
    op.execute(
        "INSERT INTO audit_witnesses (name, told, token) VALUES ('path', 0, 0), ('url', 0, 0), ('datadog', 0, 0)"
    )
    op.create_index("ix_audit_records_act_seq", "audit_records", ["act", "seq"], unique=False)
    op.create_index("ix_audit_records_workflow_seq", "audit_records", ["workflow", "seq"], unique=False)
    op.create_index("ix_audit_records_at", "audit_records", ["at"], unique=False)
    op.execute("UPDATE audit_head SET at = (SELECT max(at) FROM audit_records)")
    if op.get_context().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgres()


def _guard_sqlite() -> None:
    """A record may go only where a seal covers it; seals are for good, and the head stays."""
    op.execute("DROP TRIGGER audit_records_no_delete")
    op.execute(
        "CREATE TRIGGER audit_records_no_delete BEFORE DELETE ON audit_records WHEN NOT EXISTS "
        "(SELECT 1 FROM audit_seals WHERE OLD.seq BETWEEN first_seq AND last_seq) "
        "BEGIN SELECT RAISE(ABORT, 'a record leaves the audit trail only by being sealed'); END"
    )
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_seals_no_{verb.lower()} BEFORE {verb} ON audit_seals "
            f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
        )
    op.execute(
        "CREATE TRIGGER audit_seals_no_replace BEFORE INSERT ON audit_seals "
        "WHEN EXISTS (SELECT 1 FROM audit_seals WHERE last_seq = NEW.last_seq) "
        "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head "
        f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
    )


def _guard_postgres() -> None:
    schema = op.get_bind().execute(sa.text("SELECT current_schema()")).scalar_one()
    op.execute("DROP TRIGGER audit_records_append_only ON audit_records")
    # Its own search path: a temporary table called audit_seals must not stand in for the real one.
    op.execute(
        "CREATE FUNCTION audit_records_sealed_only() RETURNS trigger LANGUAGE plpgsql "
        f'SET search_path = "{schema}", pg_temp AS $$ {DOOR} $$'
    )
    triggers = (
        ("audit_records_append_only", "UPDATE OR TRUNCATE", "audit_records", "STATEMENT", "audit_records_append_only"),
        ("audit_records_sealed_only", "DELETE", "audit_records", "ROW", "audit_records_sealed_only"),
        (
            "audit_seals_append_only",
            "UPDATE OR DELETE OR TRUNCATE",
            "audit_seals",
            "STATEMENT",
            "audit_records_append_only",
        ),
        ("audit_head_stays", "DELETE OR TRUNCATE", "audit_head", "STATEMENT", "audit_records_append_only"),
    )
    for name, verbs, table, each, function in triggers:
        op.execute(f"CREATE TRIGGER {name} BEFORE {verbs} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}()")
        # ALWAYS: also for a session that calls itself a replica (session_replication_role).
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def downgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    if sqlite:
        op.execute("DROP TRIGGER audit_head_no_delete")
        op.execute("DROP TRIGGER audit_records_no_delete")
    else:
        op.execute("DROP TRIGGER audit_head_stays ON audit_head")
        op.execute("DROP TRIGGER audit_records_sealed_only ON audit_records")
        op.execute("DROP TRIGGER audit_records_append_only ON audit_records")
    op.drop_index("ix_audit_records_at", "audit_records")
    op.drop_index("ix_audit_records_workflow_seq", "audit_records")
    op.drop_index("ix_audit_records_act_seq", "audit_records")
    op.drop_table("audit_witnesses")
    op.drop_table("audit_seals")
    op.drop_column("audit_head", "at")
    if sqlite:
        op.execute(
            "CREATE TRIGGER audit_records_no_delete BEFORE DELETE ON audit_records "
            f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
        )
        return
    op.execute("DROP FUNCTION audit_records_sealed_only()")
    op.execute(
        "CREATE TRIGGER audit_records_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_records "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_records_append_only()"
    )
