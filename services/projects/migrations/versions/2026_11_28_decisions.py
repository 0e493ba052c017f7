"""Decisions, handovers, and what milestones wait for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    # The previous release, which may still be at work, writes none of these.
    op.add_column("milestone", sa.Column("baseline_on", sa.Date(), nullable=True))
    op.add_column("milestone", sa.Column("forecast_on", sa.Date(), nullable=True))
    op.add_column(
        "milestone",
        sa.Column("progress_percent", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.add_column(
        "milestone",
        sa.Column("depends_on", postgresql.JSONB(), server_default="[]", nullable=False),
    )
    op.add_column(
        "contribution",
        sa.Column("links", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("title", postgresql.JSONB(), nullable=False),
        sa.Column("text", postgresql.JSONB(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("closes_on", sa.Date(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("closes_at", INSTANT, nullable=False),
        sa.Column("effect", postgresql.JSONB(), nullable=True),
        sa.Column("proposer", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.Column("hindrance", sa.Text(), nullable=True),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_decision_project_id_project")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    op.create_index(
        "ix_decision_project_id_created_at_id", "decision", ["project_id", "created_at", "id"]
    )
    op.create_index("ix_decision_created_at_id", "decision", ["created_at", "id"])
    op.create_index("ix_decision_updated_at_id", "decision", ["updated_at", "id"])
    op.create_index("ix_decision_closes_at_id", "decision", ["closes_at", "id"])
    op.create_index(
        "ix_decision_open",
        "decision",
        ["closes_at"],
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "elector",
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("taken_at", INSTANT, nullable=True),
        sa.Column("counted_out_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name=op.f("fk_elector_decision_id_decision")
        ),
        sa.PrimaryKeyConstraint("decision_id", "member", name=op.f("pk_elector")),
    )
    op.create_index(
        "ix_elector_silent",
        "elector",
        ["member"],
        postgresql_where=sa.text("position IS NULL AND counted_out_at IS NULL"),
    )
    op.create_table(
        "position",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("taken_at", INSTANT, nullable=False),
        sa.Column("taken_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name=op.f("fk_position_decision_id_decision")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_position")),
    )
    op.create_index(
        "ix_position_decision_id_taken_at_id", "position", ["decision_id", "taken_at", "id"]
    )
    op.create_table(
        "handover",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("lead", sa.Text(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("answer_note", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("closes_on", sa.Date(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=True),
        sa.Column("offered_at", INSTANT, nullable=False),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_handover_project_id_project")
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name=op.f("fk_handover_decision_id_decision")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
    )
    op.create_index(
        "uq_handover_project_id",
        "handover",
        ["project_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('offered', 'accepted')"),
    )
    op.create_index(
        "ix_handover_project_id_created_at_id", "handover", ["project_id", "created_at", "id"]
    )
    op.create_index(
        "ix_handover_candidate",
        "handover",
        ["candidate"],
        postgresql_where=sa.text("status = 'offered'"),
    )


def downgrade() -> None:
    op.drop_table("handover")
    op.drop_table("position")
    op.drop_table("elector")
    op.drop_table("decision")
    op.drop_column("contribution", "links")
    op.drop_column("milestone", "depends_on")
    op.drop_column("milestone", "progress_percent")
    op.drop_column("milestone", "forecast_on")
    op.drop_column("milestone", "baseline_on")
