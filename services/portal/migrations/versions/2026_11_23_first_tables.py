"""First tables: sessions of browsers, and notices of logout.

Revision ID: portal_0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "portal_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "browser_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cookie_hash", sa.Text(), nullable=False),
        sa.Column("official_id", sa.Uuid(), nullable=False),
        sa.Column("sid", sa.Uuid(), nullable=False),
        sa.Column("sealed_access_token", sa.Text(), nullable=False),
        sa.Column("access_ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_refresh_token", sa.Text(), nullable=False),
        sa.Column("sealed_id_token", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_browser_session")),
        sa.UniqueConstraint("cookie_hash", name=op.f("uq_browser_session_cookie_hash")),
    )
    for column in ("official_id", "sid", "seen_at", "ends_at"):
        op.create_index(op.f(f"ix_browser_session_{column}"), "browser_session", [column])
    op.create_table(
        "heard_logout",
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("sid", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_heard_logout")),
    )
    for column in ("sid", "expires_at"):
        op.create_index(op.f(f"ix_heard_logout_{column}"), "heard_logout", [column])


def downgrade() -> None:
    op.drop_table("heard_logout")
    op.drop_table("browser_session")
