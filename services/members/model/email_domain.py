"""A mail domain of a member, proven in the DNS."""

import secrets
from datetime import datetime
from typing import ClassVar, Final

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base
from services.members.model.speaker import Speaker
from shared.contracts.event import State
from shared.refusals import Conflict, NotFound

RECORD_PREFIX: Final = "_renkei"
VALUE_PREFIX: Final = "renkei-domain-verification="
DOMAINS_MAX: Final = 50


class EmailDomainNotFound(NotFound):
    code = "email-domain-not-found"
    title = "The member claims no such mail domain"


class EmailDomainClaimed(Conflict):
    code = "email-domain-claimed"
    title = "The member claims this mail domain already"


class TooManyEmailDomains(Conflict):
    code = "too-many-email-domains"
    title = "The member claims as many mail domains as it can"


class EmailDomainNotProven(Conflict):
    code = "email-domain-not-proven"
    title = "The DNS does not show that the mail domain is the member's"


class EmailDomainTaken(Conflict):
    code = "email-domain-taken"
    title = "Another member has shown that the mail domain is its own"


class EmailDomainState(State):
    """A mail domain that a member claims, and what proves it."""

    key: ClassVar[str] = "domain"

    domain: str
    member: str
    record_name: str
    record_value: str
    verified_at: datetime | None
    created_at: datetime


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

    def state(self) -> EmailDomainState:
        return EmailDomainState.model_validate(self)

    @property
    def version(self) -> int:
        """It changes once, when it is proven."""
        return 1 if self.verified_at is None else 2

    @property
    def record_name(self) -> str:
        """Where the TXT record must be."""
        return record_name_of(self.domain)

    @property
    def record_value(self) -> str:
        """What it must say."""
        return VALUE_PREFIX + self.challenge

    def verify(self, texts: frozenset[str], *, at: datetime) -> None:
        """Take the domain as the member's own if the DNS says so.

        Raises:
            EmailDomainNotProven: it does not.
        """
        if self.record_value not in texts:
            raise EmailDomainNotProven(f"{self.record_name} has no TXT record {self.record_value}.")
        self.verified_at = self.verified_at or at


def record_name_of(domain: str) -> str:
    return f"{RECORD_PREFIX}.{domain}"


def new_challenge() -> str:
    return secrets.token_urlsafe(24)


def ensure_sees_domains_of(member: str, speaker: Speaker) -> None:
    """Refuse whoever may not know what `member` claims: all but itself.

    Raises:
        EmailDomainNotFound: for this speaker there is none.
    """
    if speaker.member != member:
        raise EmailDomainNotFound(f"You see no mail domains of {member}.")
