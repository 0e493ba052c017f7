"""A mail domain of a member, proven in the DNS."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base


class EmailDomain(Base, kw_only=True):
    """Several members may claim a domain; the one that proves it has it."""

    __tablename__ = "email_domain"
    __table_args__ = (
        Index(
            "uq_email_domain_domain",
            "domain",
            unique=True,
            postgresql_where=text("verified_at IS NOT NULL"),
        ),
    )

    domain: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(ForeignKey("member.slug"), primary_key=True)
    challenge: Mapped[str]
    """What the TXT record must say."""
    verified_at: Mapped[datetime | None] = mapped_column(default=None)
    created_at: Mapped[datetime]
