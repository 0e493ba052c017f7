"""Whose proof a kept authorization request goes on with.

Revision ID: members_0009
Revises: members_0008
"""

import sqlalchemy as sa
from alembic import op

revision = "members_0009"
down_revision = "members_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("authorization_request", sa.Column("reauthenticated_by", sa.Uuid()))


def downgrade() -> None:
    op.drop_column("authorization_request", "reauthenticated_by")
