"""Applications are told of a logout; secrets overlap when they change.

Revision ID: members_0008
Revises: members_0007
"""

revision = "members_0008"
down_revision = "members_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
