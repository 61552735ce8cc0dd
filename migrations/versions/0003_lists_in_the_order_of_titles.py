"""Lists in the order of titles, and an index of the groups that grants name"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

GROUP = "substr(subject, 1, 1) = 'S'"

workflows = sa.table("workflows", sa.column("name"), sa.column("title"))
before = sa.table("workflow_targets", sa.column("target"), sa.column("workflow"))


def upgrade() -> None:
    titles = {row.name: row.title for row in op.get_bind().execute(sa.select(workflows.c.name, workflows.c.title))}
    rows = [
        {"target": target, "title_key": titles[workflow].casefold()[:150], "workflow": workflow}
        for target, workflow in op.get_bind().execute(sa.select(before.c.target, before.c.workflow))
        if workflow in titles
    ]
    op.drop_table("workflow_targets")
    after = op.create_table(
        "workflow_targets",
        sa.Column("target", sa.String(length=120), nullable=False),
        sa.Column("title_key", sa.String(length=150), nullable=False),
        sa.Column("workflow", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("target", "title_key", "workflow", name=op.f("pk_workflow_targets")),
    )
    op.bulk_insert(after, rows)
    op.create_index(
        "ix_grants_groups",
        "grants",
        ["subject"],
        unique=False,
        sqlite_where=sa.text(GROUP),
        postgresql_where=sa.text(GROUP),
    )


def downgrade() -> None:
    op.drop_index("ix_grants_groups", table_name="grants")
    rows = [
        {"target": target, "workflow": workflow}
        for target, workflow in op.get_bind().execute(sa.select(before.c.target, before.c.workflow))
    ]
    op.drop_table("workflow_targets")
    after = op.create_table(
        "workflow_targets",
        sa.Column("target", sa.String(length=120), nullable=False),
        sa.Column("workflow", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("target", "workflow", name=op.f("pk_workflow_targets")),
    )
    op.bulk_insert(after, rows)
