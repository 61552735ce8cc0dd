"""Approvals: what a rule asks for, who has answered, and the authenticators of those who answer.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("grants", sa.Column("approval", sa.JSON(), nullable=True))
    op.add_column("runs", sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("bound_to", sa.String(length=64), nullable=False, server_default=sa.text("''")))
    # Up to now every run was accepted when it was asked for.
    op.execute("UPDATE runs SET accepted_at = created_at WHERE state <> 'not started'")
    op.drop_index("ix_runs_workflow_created_at", "runs")
    op.create_index("ix_runs_workflow_accepted_at", "runs", ["workflow", "accepted_at"])
    with op.batch_alter_table("messages") as batch:
        batch.alter_column(
            "kind", existing_type=sa.String(length=10), type_=sa.String(length=60), existing_nullable=False
        )
    op.create_table(
        "approvals",
        sa.Column("run_id", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("requirement", sa.JSON(), nullable=False),
        sa.Column("bound_to", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rule", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("escalated", sa.Boolean(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_approvals")),
    )
    op.create_index(
        "ix_approvals_due",
        "approvals",
        ["due"],
        sqlite_where=sa.text("due IS NOT NULL"),
        postgresql_where=sa.text("due IS NOT NULL"),
    )
    op.create_table(
        "reviews",
        sa.Column("run_id", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("approves", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fits", sa.JSON(), nullable=False),
        sa.Column("bound_to", sa.String(length=64), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "user_id", name=op.f("pk_reviews")),
    )
    op.create_table(
        "authenticators",
        sa.Column("team_id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("pending", sa.Text(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("team_id", "user_id", name=op.f("pk_authenticators")),
    )


def downgrade() -> None:
    op.drop_table("authenticators")
    op.drop_table("reviews")
    op.drop_table("approvals")
    # What this version alone knows can't stay: an older bot could not read it.
    op.execute("DELETE FROM messages WHERE kind NOT IN ('live', 'end')")
    with op.batch_alter_table("messages") as batch:
        batch.alter_column(
            "kind", existing_type=sa.String(length=60), type_=sa.String(length=10), existing_nullable=False
        )
    op.execute(
        "UPDATE runs SET state = 'not started', due = NULL, sealed = NULL, lock_key = NULL"
        " WHERE state IN ('awaiting approval', 'refused', 'expired')"
    )
    op.drop_index("ix_runs_workflow_accepted_at", "runs")
    op.create_index("ix_runs_workflow_created_at", "runs", ["workflow", "created_at"])
    op.drop_column("runs", "bound_to")
    op.drop_column("runs", "accepted_at")
    op.execute("DELETE FROM grants WHERE approval IS NOT NULL")
    op.drop_column("grants", "approval")
