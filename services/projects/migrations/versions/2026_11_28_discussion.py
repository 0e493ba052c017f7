"""Comments, with what they said before."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "comment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("subject_title", postgresql.JSONB(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("official_id", sa.Uuid(), nullable=True),
        sa.Column("in_reply_to", sa.Uuid(), nullable=True),
        sa.Column("in_reply_to_member", sa.Text(), nullable=True),
        sa.Column("in_reply_to_official_id", sa.Uuid(), nullable=True),
        sa.Column("text", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("mentioned_members", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("mentioned_officials", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("edited_by_official_id", sa.Uuid(), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_by_official_id", sa.Uuid(), nullable=True),
        sa.Column("removed_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_comment_project_id")),
        sa.ForeignKeyConstraint(
            ["in_reply_to"], ["comment.id"], name=op.f("fk_comment_in_reply_to")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
    )
    for moment in ("created_at", "updated_at"):
        op.create_index(
            f"ix_comment_subject_id_{moment}_id", "comment", ["subject_id", moment, "id"]
        )
    op.create_table(
        "comment_former_text",
        sa.Column("comment_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_by_official_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["comment_id"], ["comment.id"], name=op.f("fk_comment_former_text_comment_id")
        ),
        sa.PrimaryKeyConstraint("comment_id", "version", name=op.f("pk_comment_former_text")),
    )


def downgrade() -> None:
    for table in ("comment_former_text", "comment"):
        op.drop_table(table)
