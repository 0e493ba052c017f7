"""Charters of projects, the network's lists of topics, and what projects are found by."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The previous release, which may still be at work, writes none of these.
    op.add_column(
        "project",
        sa.Column("themes", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column("project", sa.Column("charter", postgresql.JSONB(none_as_null=True)))
    op.add_column(
        "project",
        sa.Column("charter_version", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.create_index("ix_project_themes", "project", ["themes"], postgresql_using="gin")
    op.create_table(
        "charter_version",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("text", postgresql.JSONB(), nullable=False),
        sa.Column("adopted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("adopted_by", sa.Text(), nullable=True),
        sa.Column("adopted_by_member", sa.Text(), nullable=True),
        sa.Column("decision_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_charter_version_project_id")
        ),
        sa.PrimaryKeyConstraint("project_id", "number", name=op.f("pk_charter_version")),
    )


def downgrade() -> None:
    op.drop_table("charter_version")
    op.drop_index("ix_project_themes", "project")
    for column in ("charter_version", "charter", "themes"):
        op.drop_column("project", column)
