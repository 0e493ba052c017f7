"""Applications are told of a logout; secrets overlap when they change.

Revision ID: members_0008
Revises: members_0007
"""

import sqlalchemy as sa
from alembic import op

revision = "members_0008"
down_revision = "members_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("client", sa.Column("backchannel_logout_uri", sa.Text(), nullable=True))
    op.add_column("client", sa.Column("former_secret_hash", sa.Text(), nullable=True))
    op.add_column(
        "client", sa.Column("former_secret_until", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("identity_provider", sa.Column("sealed_next_secret", sa.Text(), nullable=True))
    op.create_table(
        "logout_notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("official_id", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logout_notice")),
    )
    op.create_index(op.f("ix_logout_notice_due_at_id"), "logout_notice", ["due_at", "id"])


def downgrade() -> None:
    op.drop_table("logout_notice")
    op.drop_column("identity_provider", "sealed_next_secret")
    for column in ("former_secret_until", "former_secret_hash", "backchannel_logout_uri"):
        op.drop_column("client", column)
