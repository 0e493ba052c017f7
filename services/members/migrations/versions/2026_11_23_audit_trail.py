"""The audit trail of each member.

Revision ID: members_0005
Revises: members_0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "members_0005"
down_revision = "members_0004"
branch_labels = None
depends_on = None

REFUSE = """
CREATE FUNCTION refuse_to_touch_audit_trail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only appended to: % of % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$
"""

# The head of a trail moves on with each entry, and never back.
REFUSE_BACK = """
CREATE FUNCTION refuse_to_shorten_audit_trail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.member <> OLD.member OR NEW.length <= OLD.length THEN
        RAISE EXCEPTION 'the audit trail of % does not become shorter', OLD.member
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "audit_head",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("member", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("actor_member", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.CheckConstraint("outcome IN ('done', 'refused')", name=op.f("ck_audit_entry_outcome")),
        sa.PrimaryKeyConstraint("member", "position", name=op.f("pk_audit_entry")),
    )
    for column in ("action", "actor", "at"):
        op.create_index(
            f"ix_audit_entry_member_{column}_position",
            "audit_entry",
            ["member", column, "position"],
        )
    op.execute(REFUSE)
    op.execute(REFUSE_BACK)
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_touch_audit_trail()"
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON audit_head"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_touch_audit_trail()"
    )
    op.execute(
        "CREATE TRIGGER forward_only BEFORE UPDATE ON audit_head"
        " FOR EACH ROW EXECUTE FUNCTION refuse_to_shorten_audit_trail()"
    )


def downgrade() -> None:
    op.drop_table("audit_entry")
    op.drop_table("audit_head")
    op.execute("DROP FUNCTION refuse_to_shorten_audit_trail()")
    op.execute("DROP FUNCTION refuse_to_touch_audit_trail()")
