"""Where the officials of a member log in: its own OpenID provider."""

from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base, Versioned
from shared.contracts.members import Role
from shared.database import Strings
from shared.identifiers import new_id

ProviderStatus = Literal["draft", "active", "retired"]
ProviderAuthentication = Literal["client_secret_basic", "client_secret_post"]
SubjectClaim = Literal["sub", "oid"]
UnknownPeople = Literal["refuse", "without_role", "with_role"]
"""What becomes of somebody who logs in and whom nobody has invited."""


class IdentityProvider(Versioned, Base, kw_only=True):
    """An OpenID provider of one member. It serves logins once a test login has succeeded."""

    __tablename__ = "identity_provider"
    __table_args__ = (
        CheckConstraint(f"status IN {get_args(ProviderStatus)}", name="status"),
        Index("ix_identity_provider_member_created_at_id", "member", "created_at", "id"),
        Index(
            "uq_identity_provider_member_issuer_client_id",
            "member",
            "issuer",
            "client_id",
            unique=True,
            postgresql_where=text("status <> 'retired'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    member: Mapped[str] = mapped_column(ForeignKey("member.slug"))
    name: Mapped[str]
    issuer: Mapped[str]
    client_id: Mapped[str]
    sealed_secret: Mapped[str | None] = mapped_column(repr=False)
    authentication: Mapped[ProviderAuthentication] = mapped_column(Text)
    scopes: Mapped[tuple[str, ...]] = mapped_column(Strings)
    algorithms: Mapped[tuple[str, ...]] = mapped_column(Strings)
    subject_claim: Mapped[SubjectClaim] = mapped_column(Text)
    roles_claim: Mapped[str | None]
    role_of_group: Mapped[dict[str, Role]] = mapped_column(JSONB)
    unknown_people: Mapped[UnknownPeople] = mapped_column(Text)
    unknown_role: Mapped[Role | None] = mapped_column(Text)
    strong_acr: Mapped[tuple[str, ...]] = mapped_column(Strings)
    """Values of `acr` by which this provider says that it asked for a second factor."""
    status: Mapped[ProviderStatus] = mapped_column(Text, default="draft")
    tested_at: Mapped[datetime | None] = mapped_column(default=None)
    tested_fingerprint: Mapped[str | None] = mapped_column(default=None)
    """Of the configuration with which the test login succeeded."""

    @staticmethod
    def place(provider_id: UUID) -> str:
        """What the sealed secret is bound to."""
        return f"identity_provider.sealed_secret {provider_id}"
