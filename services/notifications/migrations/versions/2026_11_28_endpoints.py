"""Consents of receivers, and what may be shown of how we authenticate to them."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "notifications_0007"
down_revision = "notifications_0006"
branch_labels = None
depends_on = None


def moment(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.add_column(
        "webhook_endpoint", sa.Column("authentication_details", postgresql.JSONB(), nullable=True)
    )
    op.create_index(
        "ix_webhook_secret_expires_at",
        "webhook_secret",
        ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_table(
        "webhook_verification",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        moment("waiting_since"),
        moment("asked_at"),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        moment("last_tried_at", nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        moment("next_try_at", nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'granted', 'given_up')",
            name=op.f("ck_webhook_verification_state"),
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.id"],
            name=op.f("fk_webhook_verification_endpoint_id"),
        ),
        sa.PrimaryKeyConstraint("endpoint_id", name=op.f("pk_webhook_verification")),
    )
    op.create_index(
        "ix_webhook_verification_next_try_at",
        "webhook_verification",
        ["next_try_at"],
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )
    # Who is known to agree; the others are asked as if they were new.
    op.execute(
        "INSERT INTO webhook_verification"
        " (endpoint_id, state, waiting_since, asked_at, tries, next_try_at)"
        " SELECT id, CASE WHEN verified_at IS NULL THEN 'pending' ELSE 'granted' END,"
        " created_at, now(), 0, CASE WHEN verified_at IS NULL THEN now() END"
        " FROM webhook_endpoint WHERE status <> 'deleted'"
    )
    op.create_table(
        "webhook_consent",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        moment("created_at"),
        moment("expires_at"),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_webhook_consent_endpoint_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_webhook_consent")),
    )
    op.create_index("ix_webhook_consent_endpoint_id", "webhook_consent", ["endpoint_id"])
    op.create_index("ix_webhook_consent_expires_at", "webhook_consent", ["expires_at"])


def downgrade() -> None:
    op.drop_table("webhook_consent")
    op.drop_table("webhook_verification")
    op.drop_index("ix_webhook_secret_expires_at", table_name="webhook_secret")
    op.drop_column("webhook_endpoint", "authentication_details")
