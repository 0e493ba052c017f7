"""Officials whom a city's directory provisions.

Revision ID: members_0007
Revises: members_0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "members_0007"
down_revision = "members_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "official",
        sa.Column("is_deactivated", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_table(
        "scim_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("identity_provider_id", sa.Uuid(), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        *_versioned(),
        sa.ForeignKeyConstraint(["member"], ["member.slug"], name=op.f("fk_scim_token_member")),
        sa.ForeignKeyConstraint(
            ["identity_provider_id"],
            ["identity_provider.id"],
            name=op.f("fk_scim_token_identity_provider_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scim_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_scim_token_token_hash")),
    )
    _index("scim_token", "member", "created_at", "id")
    _index("scim_token", "member", "updated_at", "id")
    op.create_table(
        "scim_user",
        sa.Column("official_id", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("user_name_key", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("subject_space", sa.Text(), nullable=True),
        sa.Column("email_type", sa.Text(), nullable=True),
        sa.Column("email_is_primary", sa.Boolean(), nullable=True),
        sa.Column("unassigned", postgresql.ARRAY(sa.Text()), nullable=False),
        *_versioned(),
        sa.ForeignKeyConstraint(
            ["official_id"], ["official.id"], name=op.f("fk_scim_user_official_id")
        ),
        sa.ForeignKeyConstraint(["member"], ["member.slug"], name=op.f("fk_scim_user_member")),
        sa.PrimaryKeyConstraint("official_id", name=op.f("pk_scim_user")),
    )
    _index("scim_user", "member", "user_name_key", unique=True)
    _index("scim_user", "member", "external_id")
    op.create_table(
        "scim_group",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        *_versioned(),
        sa.CheckConstraint(
            "role IN ('administrator', 'coordinator', 'contributor', 'observer')",
            name=op.f("ck_scim_group_role"),
        ),
        sa.ForeignKeyConstraint(["member"], ["member.slug"], name=op.f("fk_scim_group_member")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scim_group")),
    )
    _index("scim_group", "member", "name_key", unique=True)
    _index("scim_group", "member", "created_at", "id")
    _index("scim_group", "member", "updated_at", "id")
    op.create_table(
        "scim_group_member",
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("official_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["scim_group.id"], name=op.f("fk_scim_group_member_group_id")
        ),
        sa.ForeignKeyConstraint(
            ["official_id"], ["official.id"], name=op.f("fk_scim_group_member_official_id")
        ),
        sa.PrimaryKeyConstraint("group_id", "official_id", name=op.f("pk_scim_group_member")),
    )
    _index("scim_group_member", "official_id")


def downgrade() -> None:
    for table in ("scim_group_member", "scim_group", "scim_user", "scim_token"):
        op.drop_table(table)
    op.drop_column("official", "is_deactivated")


def _versioned() -> list[sa.Column[object]]:
    return [
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]


def _index(table: str, *columns: str, unique: bool = False) -> None:
    kind = "uq" if unique else "ix"
    op.create_index(f"{kind}_{table}_{'_'.join(columns)}", table, list(columns), unique=unique)
