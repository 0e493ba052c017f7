"""How long invitations wait, withdrawals that are announced, and the days of taking part."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

DAYS = ("answer_by_on", "accepted_on", "withdraws_on")
INSTANTS = ("answer_by_at", "remind_at", "reminded_at", "withdraws_at")
TEXTS = ("time_zone", "withdrawn_by")
INDEXES = {
    "ix_participation_to_remind": ("remind_at", "invited"),
    "ix_participation_to_expire": ("answer_by_at", "invited"),
    "ix_participation_to_withdraw": ("withdraws_at", "accepted"),
}


def upgrade() -> None:
    # Nullable throughout: the previous release, which may still be at work, writes none of them.
    for name in DAYS:
        op.add_column("participation", sa.Column(name, sa.Date(), nullable=True))
    for name in INSTANTS:
        op.add_column("participation", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in TEXTS:
        op.add_column("participation", sa.Column(name, sa.Text(), nullable=True))
    # Where the database knows the member's zone; Greenwich elsewhere, as in the query.
    op.execute(
        """
        WITH known AS MATERIALIZED (
            SELECT m.slug, z.name
            FROM known_member AS m JOIN pg_timezone_names AS z ON z.name = m.time_zone
        )
        UPDATE participation AS p
        SET accepted_on = CAST(timezone(coalesce(
                (SELECT known.name FROM known WHERE known.slug = p.member), 'UTC'
            ), p.answered_at) AS date),
            withdrawn_by = CASE WHEN p.status = 'withdrawn' THEN 'member' END
        WHERE p.status IN ('accepted', 'withdrawn')
        """
    )
    for name, (column, status) in INDEXES.items():
        op.create_index(
            name,
            "participation",
            [column],
            unique=False,
            postgresql_where=sa.text(f"status = '{status}'"),
        )


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, table_name="participation")
    for name in (*DAYS, *INSTANTS, *TEXTS):
        op.drop_column("participation", name)
