"""Recoveries, probes of disabled endpoints, and what began each attempt.

All that is added has a default: the previous release writes rows without it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "notifications_0008"
down_revision = "notifications_0007"
branch_labels = None
depends_on = None


def moment(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "webhook_recovery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        moment("since"),
        moment("until"),
        sa.Column("event_types", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("requested_by", sa.Text()),
        sa.Column("expected", sa.BigInteger(), nullable=False),
        sa.Column("queued", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_reason", sa.Text()),
        moment("created_at"),
        moment("updated_at"),
        moment("finished_at", nullable=True),
        sa.CheckConstraint(
            "kind IN ('failed', 'missed', 'all')", name=op.f("ck_webhook_recovery_kind")
        ),
        sa.CheckConstraint(
            "state IN ('running', 'completed', 'cancelled')", name=op.f("ck_webhook_recovery_state")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_webhook_recovery_endpoint_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_recovery")),
    )
    op.create_index(
        "uq_webhook_recovery_running",
        "webhook_recovery",
        ["endpoint_id"],
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index(
        "ix_webhook_recovery_endpoint_id_created_at",
        "webhook_recovery",
        ["endpoint_id", "created_at", "id"],
    )
    op.create_table(
        "webhook_probe",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        moment("due_at"),
        sa.Column("made", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_webhook_probe_endpoint_id")
        ),
        sa.PrimaryKeyConstraint("endpoint_id", name=op.f("pk_webhook_probe")),
    )
    op.create_index("ix_webhook_probe_due_at", "webhook_probe", ["due_at"])
    _widen_deliveries()


def _widen_deliveries() -> None:
    for table in ("webhook_delivery", "webhook_attempt"):
        op.add_column(
            table, sa.Column("trigger", sa.Text(), server_default="schedule", nullable=False)
        )
    op.add_column(
        "webhook_delivery",
        sa.Column("is_test", sa.Boolean(), server_default="false", nullable=False),
    )
    op.add_column("webhook_delivery", sa.Column("recovery_id", sa.Uuid()))
    op.create_foreign_key(
        op.f("fk_webhook_delivery_recovery_id"),
        "webhook_delivery",
        "webhook_recovery",
        ["recovery_id"],
        ["id"],
    )
    op.create_index(
        "ix_webhook_delivery_recovery_id",
        "webhook_delivery",
        ["recovery_id"],
        postgresql_where=sa.text("recovery_id IS NOT NULL"),
    )
    op.create_index(
        "ix_webhook_delivery_not_delivered",
        "webhook_delivery",
        ["endpoint_id", "created_at", "id"],
        postgresql_where=sa.text("state IN ('failed', 'cancelled')"),
    )


def downgrade() -> None:
    op.drop_index("ix_webhook_delivery_not_delivered", table_name="webhook_delivery")
    op.drop_index("ix_webhook_delivery_recovery_id", table_name="webhook_delivery")
    for column in ("recovery_id", "is_test", "trigger"):
        op.drop_column("webhook_delivery", column)
    op.drop_column("webhook_attempt", "trigger")
    op.drop_table("webhook_probe")
    op.drop_table("webhook_recovery")
