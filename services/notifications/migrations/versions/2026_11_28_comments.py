"""Inbox items about comments."""

from alembic import op

revision = "notifications_0004"
down_revision = "notifications_0003"
branch_labels = None
depends_on = None

NAME = "ck_inbox_item_subject_kind"
BEFORE = "subject_kind IN ('project', 'participation', 'milestone', 'webhook_endpoint')"
NOW = "subject_kind IN ('project', 'participation', 'milestone', 'comment', 'webhook_endpoint')"


def upgrade() -> None:
    op.drop_constraint(op.f(NAME), "inbox_item", type_="check")
    op.create_check_constraint(op.f(NAME), "inbox_item", NOW)


def downgrade() -> None:
    op.execute("DELETE FROM inbox_item WHERE subject_kind = 'comment'")
    op.drop_constraint(op.f(NAME), "inbox_item", type_="check")
    op.create_check_constraint(op.f(NAME), "inbox_item", BEFORE)
