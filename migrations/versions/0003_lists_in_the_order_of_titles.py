"""Lists in the order of titles, and an index of the groups that grants name"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

GROUP = "substr(subject, 1, 1) = 'S'"

workflows = sa.table("workflows", sa.column("name"), sa.column("title"))
targets = sa.table("workflow_targets", sa.column("workflow"), sa.column("title_key"))


def upgrade() -> None:
    # In place: made anew, the table would lose the rights that other roles have to it.
    empty = sa.text("''")  # as a bot of the version before leaves it
    op.add_column(
        "workflow_targets", sa.Column("title_key", sa.String(length=150), nullable=False, server_default=empty)
    )
    for name, title in op.get_bind().execute(sa.select(workflows.c.name, workflows.c.title)).all():
        op.execute(sa.update(targets).where(targets.c.workflow == name).values(title_key=title.casefold()[:150]))
    with op.batch_alter_table("workflow_targets") as batch:
        batch.drop_constraint("pk_workflow_targets", type_="primary")
        batch.create_primary_key("pk_workflow_targets", ["target", "title_key", "workflow"])
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
    with op.batch_alter_table("workflow_targets") as batch:
        batch.drop_constraint("pk_workflow_targets", type_="primary")
        batch.drop_column("title_key")
        batch.create_primary_key("pk_workflow_targets", ["target", "workflow"])
