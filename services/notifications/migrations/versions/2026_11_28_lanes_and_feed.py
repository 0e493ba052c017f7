"""Lanes of endpoints, what an endpoint can be told, and the feed of each member.

Nothing has been released that reads the columns that go here.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "notifications_0005"
down_revision = "notifications_0004"
branch_labels = None
depends_on = None


def moment(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def counter(name: str, start: str = "0") -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), server_default=start, nullable=False)


def word(name: str, usual: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), server_default=usual, nullable=False)


def upgrade() -> None:
    _widen_endpoints()
    _widen_deliveries()
    _add_lanes()
    _add_feed()


def _widen_endpoints() -> None:
    for column in (
        sa.Column("project_ids", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        word("payload", "full"),
        sa.Column("header_names", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("sealed_headers", sa.Text()),
        sa.Column("rate_per_minute", sa.BigInteger()),
        counter("parallel", "4"),
        word("ordering", "none"),
        word("authentication", "none"),
        sa.Column("sealed_authentication", sa.Text()),
        sa.Column("allowed_rate", sa.BigInteger()),
        moment("verified_at"),
        moment("failing_since"),
        moment("disables_at"),
        counter("warnings"),
    ):
        op.add_column("webhook_endpoint", column)
    # Who was sent to until now has shown that it wants it.
    op.execute("UPDATE webhook_endpoint SET verified_at = now()")
    for name, values in (
        ("payload", "'full', 'thin'"),
        ("ordering", "'none', 'entity'"),
        ("authentication", "'none', 'oauth2', 'mtls'"),
    ):
        op.create_check_constraint(
            op.f(f"ck_webhook_endpoint_{name}"), "webhook_endpoint", f"{name} IN ({values})"
        )
    op.add_column("webhook_secret", word("kind", "v1"))
    op.add_column("webhook_secret", sa.Column("public_key", sa.LargeBinary()))
    op.add_column("webhook_secret", moment("expires_at"))
    op.create_check_constraint(
        op.f("ck_webhook_secret_kind"), "webhook_secret", "kind IN ('v1', 'v1a')"
    )


def _widen_deliveries() -> None:
    for column in (
        sa.Column("event_type", sa.Text()),
        moment("occurred_at"),
        sa.Column("entity", sa.Text()),
        sa.Column("project_id", sa.Uuid()),
        sa.Column("about_member", sa.Text()),
        sa.Column("is_for_all", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("acting_member", sa.Text()),
        counter("hops"),
    ):
        op.add_column("webhook_message", column)
    op.execute(
        "UPDATE webhook_message m SET event_type = said ->> 'type',"
        " occurred_at = CAST(said ->> 'time' AS timestamptz),"
        " entity = split_part(said ->> 'type', '.', 2) || ':' || (said ->> 'subject'),"
        " is_for_all = said ->> 'audience' = '*', acting_member = said ->> 'actormember'"
        " FROM (SELECT event_id, convert_from(body, 'UTF8')::jsonb AS said FROM webhook_message) w"
        " WHERE w.event_id = m.event_id"
    )
    op.drop_index("ix_webhook_delivery_due", table_name="webhook_delivery")
    op.drop_index("ix_webhook_delivery_leased", table_name="webhook_delivery")
    op.drop_column("webhook_delivery", "leased_until")
    op.drop_column("webhook_delivery", "fence")
    op.add_column("webhook_delivery", counter("priority"))
    op.add_column("webhook_delivery", sa.Column("entity", sa.Text()))
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["endpoint_id", "priority", "due_at", "id"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_webhook_delivery_entity",
        "webhook_delivery",
        ["endpoint_id", "entity", "due_at"],
        postgresql_where=sa.text("state = 'pending' AND entity IS NOT NULL"),
    )
    op.add_column("webhook_attempt", sa.Column("endpoint_id", sa.Uuid()))
    op.execute(
        "UPDATE webhook_attempt a SET endpoint_id = d.endpoint_id"
        " FROM webhook_delivery d WHERE d.id = a.delivery_id"
    )
    op.create_index(
        "ix_webhook_attempt_endpoint_id_started_at",
        "webhook_attempt",
        ["endpoint_id", "started_at"],
    )


def _add_lanes() -> None:
    op.create_table(
        "webhook_lane",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        moment("next_due_at"),
        moment("leased_until"),
        counter("fence"),
        word("pace", "fast"),
        counter("parallel", "1"),
        moment("held_until"),
        counter("tries"),
        counter("failures"),
        counter("quick"),
        sa.Column("mean_ms", sa.Float(), server_default="0", nullable=False),
        moment("window_from"),
        counter("window_sent"),
        counter("window_failed"),
        moment("failing_since"),
        moment("succeeded_at"),
        moment("free_at"),
        sa.CheckConstraint("pace IN ('fast', 'slow')", name=op.f("ck_webhook_lane_pace")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_webhook_lane_endpoint_id")
        ),
        sa.PrimaryKeyConstraint("endpoint_id", name=op.f("pk_webhook_lane")),
    )
    op.create_index(
        "ix_webhook_lane_due",
        "webhook_lane",
        ["pace", "next_due_at"],
        postgresql_where=sa.text("next_due_at IS NOT NULL"),
    )
    op.execute(
        "INSERT INTO webhook_lane (endpoint_id, member, next_due_at)"
        " SELECT e.id, e.member, min(d.due_at) FROM webhook_endpoint e"
        " LEFT JOIN webhook_delivery d ON d.endpoint_id = e.id AND d.state = 'pending'"
        " GROUP BY e.id"
    )


def _add_feed() -> None:
    op.create_table(
        "feed_end",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("member", name=op.f("pk_feed_end")),
    )
    op.create_table(
        "feed_entry",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        moment("recorded_at", nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["webhook_message.event_id"],
            name=op.f("fk_feed_entry_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("member", "sequence", name=op.f("pk_feed_entry")),
        sa.UniqueConstraint("member", "event_id", name=op.f("uq_feed_entry_member_event_id")),
    )
    op.create_index("ix_feed_entry_event_id", "feed_entry", ["event_id"])
    op.create_index("ix_feed_entry_recorded_at", "feed_entry", ["recorded_at"])
    op.create_table(
        "feed_cursor",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        moment("created_at", nullable=False),
        moment("updated_at", nullable=False),
        sa.PrimaryKeyConstraint("member", "name", name=op.f("pk_feed_cursor")),
    )
    op.create_table(
        "feed_digest",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
        moment("made_at", nullable=False),
        sa.PrimaryKeyConstraint("member", "day", name=op.f("pk_feed_digest")),
    )
    op.create_table(
        "feed_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        moment("created_at", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_key")),
    )


def downgrade() -> None:
    for table in ("feed_key", "feed_digest", "feed_cursor", "feed_entry", "feed_end"):
        op.drop_table(table)
    op.drop_table("webhook_lane")
    op.drop_index("ix_webhook_attempt_endpoint_id_started_at", table_name="webhook_attempt")
    op.drop_column("webhook_attempt", "endpoint_id")
    op.drop_index("ix_webhook_delivery_entity", table_name="webhook_delivery")
    op.drop_index("ix_webhook_delivery_due", table_name="webhook_delivery")
    op.drop_column("webhook_delivery", "entity")
    op.drop_column("webhook_delivery", "priority")
    op.add_column("webhook_delivery", counter("fence"))
    op.add_column("webhook_delivery", moment("leased_until"))
    op.create_index(
        "ix_webhook_delivery_leased",
        "webhook_delivery",
        ["endpoint_id"],
        postgresql_where=sa.text("leased_until IS NOT NULL"),
    )
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["endpoint_id", "due_at", "id"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    for column in (
        "event_type",
        "occurred_at",
        "entity",
        "project_id",
        "about_member",
        "is_for_all",
        "acting_member",
        "hops",
    ):
        op.drop_column("webhook_message", column)
    for column in ("kind", "public_key", "expires_at"):
        op.drop_column("webhook_secret", column)
    for column in (
        "project_ids",
        "payload",
        "header_names",
        "sealed_headers",
        "rate_per_minute",
        "parallel",
        "ordering",
        "authentication",
        "sealed_authentication",
        "allowed_rate",
        "verified_at",
        "failing_since",
        "disables_at",
        "warnings",
    ):
        op.drop_column("webhook_endpoint", column)
