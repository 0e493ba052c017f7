"""Officials whom a city's directory provisions.

Revision ID: members_0007
Revises: members_0006
"""

revision = "members_0007"
down_revision = "members_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
