"""Login: providers, identities, browser sessions, applications and what is issued to them.

Revision ID: members_0002
Revises: members_0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "members_0002"
down_revision = "members_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identity_issuer_subject")),
    )
    op.create_table(
        "used_identifier",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("owner", "identifier", name=op.f("pk_used_identifier")),
    )
    op.create_index(
        op.f("ix_used_identifier_expires_at"), "used_identifier", ["expires_at"], unique=False
    )
    op.create_table(
        "email_domain",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("challenge", sa.Text(), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member"], ["member.slug"], name=op.f("fk_email_domain_member")),
        sa.PrimaryKeyConstraint("domain", "member", name=op.f("pk_email_domain")),
    )
    op.create_index(
        "uq_email_domain_domain",
        "email_domain",
        ["domain"],
        unique=True,
        postgresql_where=sa.text("verified_at IS NOT NULL"),
    )
    op.create_table(
        "identity_provider",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=True),
        sa.Column("authentication", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("algorithms", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("subject_claim", sa.Text(), nullable=False),
        sa.Column("roles_claim", sa.Text(), nullable=True),
        sa.Column("role_of_group", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("unknown_people", sa.Text(), nullable=False),
        sa.Column("unknown_role", sa.Text(), nullable=True),
        sa.Column("strong_acr", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("tested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tested_fingerprint", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('draft', 'active', 'retired')", name=op.f("ck_identity_provider_status")
        ),
        sa.ForeignKeyConstraint(
            ["member"], ["member.slug"], name=op.f("fk_identity_provider_member")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_provider")),
    )
    op.create_index(
        "ix_identity_provider_member_created_at_id",
        "identity_provider",
        ["member", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "uq_identity_provider_member_issuer_client_id",
        "identity_provider",
        ["member", "issuer", "client_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'retired'"),
    )
    op.create_table(
        "authorization_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("handle_hash", sa.Text(), nullable=True),
        sa.Column("browser_hash", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reauthenticated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_authorization_request_client_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorization_request")),
        sa.UniqueConstraint("handle_hash", name=op.f("uq_authorization_request_handle_hash")),
    )
    op.create_index(
        op.f("ix_authorization_request_expires_at"),
        "authorization_request",
        ["expires_at"],
        unique=False,
    )
    op.create_table(
        "consent",
        sa.Column("official_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_consent_client_id")),
        sa.ForeignKeyConstraint(
            ["official_id"], ["official.id"], name=op.f("fk_consent_official_id")
        ),
        sa.PrimaryKeyConstraint("official_id", "client_id", name=op.f("pk_consent")),
    )
    op.create_table(
        "sign_in",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cookie_hash", sa.Text(), nullable=False),
        sa.Column("official_id", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("upstream_sid", sa.Text(), nullable=True),
        sa.Column("upstream_subject", sa.Text(), nullable=False),
        sa.Column("sealed_id_token", sa.Text(), nullable=False),
        sa.Column("acr", sa.Text(), nullable=True),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_because", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["member"], ["member.slug"], name=op.f("fk_sign_in_member")),
        sa.ForeignKeyConstraint(
            ["official_id"], ["official.id"], name=op.f("fk_sign_in_official_id")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["identity_provider.id"], name=op.f("fk_sign_in_provider_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in")),
        sa.UniqueConstraint("cookie_hash", name=op.f("uq_sign_in_cookie_hash")),
    )
    op.create_index(op.f("ix_sign_in_ends_at"), "sign_in", ["ends_at"], unique=False)
    op.create_index(
        "ix_sign_in_official_id",
        "sign_in",
        ["official_id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_sign_in_provider_id_upstream_sid",
        "sign_in",
        ["provider_id", "upstream_sid"],
        unique=False,
    )
    op.create_table(
        "login_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state_hash", sa.Text(), nullable=False),
        sa.Column("browser_hash", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("nonce_hash", sa.Text(), nullable=False),
        sa.Column("sealed_verifier", sa.Text(), nullable=False),
        sa.Column("max_age", sa.BigInteger(), nullable=True),
        sa.Column("acr_values", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("authorization_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("purpose IN ('login', 'test')", name=op.f("ck_login_attempt_purpose")),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["authorization_request.id"],
            name=op.f("fk_login_attempt_authorization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["identity_provider.id"], name=op.f("fk_login_attempt_provider_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_attempt")),
        sa.UniqueConstraint("state_hash", name=op.f("uq_login_attempt_state_hash")),
    )
    op.create_index(
        op.f("ix_login_attempt_expires_at"), "login_attempt", ["expires_at"], unique=False
    )
    op.create_table(
        "token_family",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sign_in_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("official_id", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("dpop_thumbprint", sa.Text(), nullable=True),
        sa.Column("acr", sa.Text(), nullable=True),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_because", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_token_family_client_id")
        ),
        sa.ForeignKeyConstraint(["member"], ["member.slug"], name=op.f("fk_token_family_member")),
        sa.ForeignKeyConstraint(
            ["official_id"], ["official.id"], name=op.f("fk_token_family_official_id")
        ),
        sa.ForeignKeyConstraint(
            ["sign_in_id"], ["sign_in.id"], name=op.f("fk_token_family_sign_in_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_family")),
    )
    op.create_index(
        "ix_token_family_client_id",
        "token_family",
        ["client_id"],
        unique=False,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_index(op.f("ix_token_family_ends_at"), "token_family", ["ends_at"], unique=False)
    op.create_index(
        "ix_token_family_official_id",
        "token_family",
        ["official_id"],
        unique=False,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_index(
        "ix_token_family_sign_in_id",
        "token_family",
        ["sign_in_id"],
        unique=False,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "authorization_code",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["family_id"], ["token_family.id"], name=op.f("fk_authorization_code_family_id")
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_authorization_code")),
    )
    op.create_index(
        op.f("ix_authorization_code_expires_at"), "authorization_code", ["expires_at"], unique=False
    )
    op.create_index(
        op.f("ix_authorization_code_family_id"), "authorization_code", ["family_id"], unique=False
    )
    op.create_table(
        "refresh_token",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["family_id"], ["token_family.id"], name=op.f("fk_refresh_token_family_id")
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_refresh_token")),
    )
    op.create_index(
        op.f("ix_refresh_token_expires_at"), "refresh_token", ["expires_at"], unique=False
    )
    op.create_index(
        op.f("ix_refresh_token_family_id"), "refresh_token", ["family_id"], unique=False
    )
    op.add_column("client", sa.Column("kind", sa.Text(), server_default="machine", nullable=False))
    op.add_column(
        "client",
        sa.Column("authentication", sa.Text(), server_default="client_secret", nullable=False),
    )
    op.add_column(
        "client", sa.Column("keys", postgresql.JSONB(astext_type=sa.Text()), nullable=True)
    )
    op.add_column(
        "client",
        sa.Column(
            "redirect_uris", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
        ),
    )
    op.add_column(
        "client",
        sa.Column(
            "post_logout_redirect_uris",
            postgresql.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
        ),
    )
    op.add_column(
        "client",
        sa.Column("is_first_party", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column(
        "client",
        sa.Column("serves_network", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column(
        "client",
        sa.Column("requires_dpop", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.alter_column("client", "secret_hash", existing_type=sa.TEXT(), nullable=True)
    op.add_column("official", sa.Column("identity_id", sa.Uuid(), nullable=True))
    op.add_column("official", sa.Column("bound_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_official_member_email",
        "official",
        ["member", sa.literal_column("lower(email)")],
        unique=False,
        postgresql_where=sa.text("identity_id IS NULL"),
    )
    op.create_index(
        "uq_official_member_identity_id", "official", ["member", "identity_id"], unique=True
    )
    op.create_foreign_key(
        op.f("fk_official_identity_id"), "official", "identity", ["identity_id"], ["id"]
    )
    op.add_column(
        "signing_key", sa.Column("algorithm", sa.Text(), server_default="ES256", nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_client_kind"), "client", "kind IN ('machine', 'application')"
    )
    op.create_check_constraint(
        op.f("ck_client_authentication"),
        "client",
        "authentication IN ('client_secret', 'private_key_jwt', 'none')",
    )
    op.create_check_constraint(
        op.f("ck_signing_key_algorithm"), "signing_key", "algorithm IN ('ES256', 'RS256')"
    )


def downgrade() -> None:
    op.drop_column("signing_key", "algorithm")
    op.drop_column("official", "bound_at")
    op.drop_column("official", "identity_id")
    op.alter_column("client", "secret_hash", nullable=False)
    for column in (
        "requires_dpop",
        "serves_network",
        "is_first_party",
        "post_logout_redirect_uris",
        "redirect_uris",
        "keys",
        "authentication",
        "kind",
    ):
        op.drop_column("client", column)
    for table in (
        "refresh_token",
        "authorization_code",
        "token_family",
        "login_attempt",
        "sign_in",
        "consent",
        "authorization_request",
        "identity_provider",
        "email_domain",
        "used_identifier",
        "identity",
    ):
        op.drop_table(table)
