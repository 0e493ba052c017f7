"""What officials may do now, and which of their sessions have ended.

Revision: notifications_0002, after notifications_0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "notifications_0002"
down_revision = "notifications_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "known_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("good_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_session")),
    )
    op.create_index(
        op.f("ix_known_session_good_until"), "known_session", ["good_until"], unique=False
    )
    # The previous release, which may still be at work, writes no scopes.
    op.add_column(
        "known_official",
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("known_official", "scopes")
    op.drop_table("known_session")
