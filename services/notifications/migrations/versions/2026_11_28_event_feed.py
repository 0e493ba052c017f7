"""What reading the event feed needs: moments that rise with numbers, cursors with versions.

And a way to find all that was said of somebody, in the feed as well as in deliveries.
"""

import sqlalchemy as sa
from alembic import op

revision = "notifications_0006"
down_revision = "notifications_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("feed_end", sa.Column("recorded_at", sa.DateTime(timezone=True)))
    op.execute(
        "UPDATE feed_end e SET recorded_at = coalesce("
        "(SELECT max(recorded_at) FROM feed_entry f WHERE f.member = e.member), now())"
    )
    op.alter_column("feed_end", "recorded_at", nullable=False)
    op.add_column(
        "feed_cursor",
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
    )
    op.alter_column("feed_cursor", "version", server_default=None)
    op.create_index("ix_webhook_message_entity", "webhook_message", ["entity"])


def downgrade() -> None:
    op.drop_index("ix_webhook_message_entity", table_name="webhook_message")
    op.drop_column("feed_cursor", "version")
    op.drop_column("feed_end", "recorded_at")
