"""Guesses that failed.

Revision ID: members_0006
Revises: members_0005
"""

import sqlalchemy as sa
from alembic import op

revision = "members_0006"
down_revision = "members_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "failed_guess",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_failed_guess")),
        prefixes=["UNLOGGED"],
    )
    op.create_index(op.f("ix_failed_guess_ends_at"), "failed_guess", ["ends_at"], unique=False)


def downgrade() -> None:
    op.drop_table("failed_guess")
