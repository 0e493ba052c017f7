"""Where in its country a member is."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("known_member", sa.Column("subdivision", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("known_member", "subdivision")
