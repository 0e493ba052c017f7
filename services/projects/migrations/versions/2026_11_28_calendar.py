"""Where in its country a member is, and addresses at which calendars read what is due."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("known_member", sa.Column("subdivision", sa.Text(), nullable=True))
    op.create_table(
        "calendar_feed",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("official_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('official', 'member', 'project')", name=op.f("ck_calendar_feed_kind")
        ),
        sa.CheckConstraint(
            "(kind = 'project') = (project_id IS NOT NULL)", name=op.f("ck_calendar_feed_project")
        ),
        sa.CheckConstraint("status IN ('active', 'revoked')", name=op.f("ck_calendar_feed_status")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_calendar_feed_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feed")),
    )
    op.create_index("uq_calendar_feed_token_hash", "calendar_feed", ["token_hash"], unique=True)
    op.create_index(
        "ix_calendar_feed_member_created_at_id", "calendar_feed", ["member", "created_at", "id"]
    )


def downgrade() -> None:
    op.drop_table("calendar_feed")
    op.drop_column("known_member", "subdivision")
