"""Officials whose facts still have to be taken out of history.

Revision ID: members_0003
Revises: members_0002
"""

import sqlalchemy as sa
from alembic import op

revision = "members_0003"
down_revision = "members_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erasure",
        sa.Column("official_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["official_id"], ["official.id"], name=op.f("fk_erasure_official_id")
        ),
        sa.PrimaryKeyConstraint("official_id", name=op.f("pk_erasure")),
    )


def downgrade() -> None:
    op.drop_table("erasure")
