"""By whose facts a fact was caused, as we have told them ourselves.

What is added has a default: the previous release writes rows without it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "notifications_0009"
down_revision = "notifications_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "webhook_message",
        sa.Column("chain", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("webhook_message", "chain")
