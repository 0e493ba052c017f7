"""Guesses that failed.

Revision ID: members_0006
Revises: members_0005
"""

revision = "members_0006"
down_revision = "members_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
