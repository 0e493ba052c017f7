"""Charters of projects, the network's lists of topics, and what projects are found by."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
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
    op.create_index("ix_project_lead_id", "project", ["lead", "id"])
    op.drop_index("ix_project_lead", "project")
    op.create_index(
        "ix_participation_place",
        "participation",
        ["member", "project_id"],
        postgresql_where=sa.text("status IN ('invited', 'accepted')"),
    )
    op.create_index(
        "ix_project_network",
        "project",
        ["id"],
        postgresql_where=sa.text("visibility = 'network' AND proposed_at IS NOT NULL"),
    )
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
    # The worker fills it.
    op.create_table(
        "project_words",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("grams", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_project_words_project_id")
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_project_words")),
    )
    op.create_index(
        "ix_project_words_grams",
        "project_words",
        ["grams"],
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 256},
    )
    for kind in ("objective", "theme"):
        op.create_table(
            kind,
            sa.Column("slug", sa.Text(), nullable=False),
            sa.Column("title", postgresql.JSONB(), nullable=False),
            sa.Column("description", postgresql.JSONB(none_as_null=True), nullable=True),
            sa.Column("position", sa.BigInteger(), nullable=False),
            sa.Column("is_retired", sa.Boolean(), nullable=False),
            sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("version", sa.BigInteger(), nullable=False),
            sa.PrimaryKeyConstraint("slug", name=op.f(f"pk_{kind}")),
        )
    # Until now projects could name anything. The secretariat words these properly; others hear of
    # each when it does.
    op.execute(
        """
        INSERT INTO objective
            (slug, title, position, is_retired, created_at, updated_at, version)
        SELECT DISTINCT slug, jsonb_build_object('en', initcap(replace(slug, '-', ' '))),
               0, false, now(), now(), 1
        FROM project, unnest(objectives) slug
        """
    )


def downgrade() -> None:
    for table in ("theme", "objective", "project_words", "charter_version"):
        op.drop_table(table)
    op.drop_index("ix_participation_place", "participation")
    op.create_index("ix_project_lead", "project", ["lead"])
    op.drop_index("ix_project_lead_id", "project")
    op.drop_index("ix_project_network", "project")
    op.drop_index("ix_project_themes", "project")
    for column in ("charter_version", "charter", "themes"):
        op.drop_column("project", column)
