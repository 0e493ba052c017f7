"""Where in its country a member is.

Revision ID: members_0010
Revises: members_0009
"""

import sqlalchemy as sa
from alembic import op

revision = "members_0010"
down_revision = "members_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("member", sa.Column("subdivision", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("member", "subdivision")
