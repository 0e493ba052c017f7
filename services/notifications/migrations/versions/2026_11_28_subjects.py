"""An inbox tells of whatever facts there are."""

from alembic import op

revision = "notifications_0004"
down_revision = "notifications_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What subjects there are is said by the rules, which grow with every kind of fact.
    op.drop_constraint(op.f("ck_inbox_item_subject_kind"), "inbox_item", type_="check")


def downgrade() -> None:
    op.execute(
        "DELETE FROM inbox_item WHERE subject_kind NOT IN"
        " ('project', 'participation', 'milestone', 'webhook_endpoint')"
    )
    op.create_check_constraint(
        op.f("ck_inbox_item_subject_kind"),
        "inbox_item",
        "subject_kind IN ('project', 'participation', 'milestone', 'webhook_endpoint')",
    )
