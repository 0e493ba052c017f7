"""When a signing key began to sign.

Revision ID: members_0004
Revises: members_0003
"""

import sqlalchemy as sa
from alembic import op

revision = "members_0004"
down_revision = "members_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "signing_key", sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("signing_key", "activated_at")
