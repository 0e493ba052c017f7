"""A browser on its way to a provider and back."""

from datetime import datetime, timedelta
from typing import Final, Literal, get_args
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base
from shared.database import Strings
from shared.identifiers import new_id

LASTS: Final = timedelta(minutes=10)
"""How long somebody may take at their provider."""

LoginPurpose = Literal["login", "test"]


class LoginAttempt(Base, kw_only=True):
    """Good for one answer of the provider, in the browser that began it."""

    __tablename__ = "login_attempt"
    __table_args__ = (CheckConstraint(f"purpose IN {get_args(LoginPurpose)}", name="purpose"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    state_hash: Mapped[str] = mapped_column(unique=True)
    browser_hash: Mapped[str]
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("identity_provider.id"))
    purpose: Mapped[LoginPurpose] = mapped_column(Text)
    nonce_hash: Mapped[str]
    sealed_verifier: Mapped[str] = mapped_column(repr=False)
    max_age: Mapped[int | None]
    """Seconds since the person last proved who they are, at most."""
    acr_values: Mapped[tuple[str, ...]] = mapped_column(Strings)
    authorization_id: Mapped[UUID | None] = mapped_column(ForeignKey("authorization_request.id"))
    """What to go on with afterwards."""
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None] = mapped_column(default=None)

    @property
    def began_at(self) -> datetime:
        """When the browser was sent to the provider."""
        return self.expires_at - LASTS

    @staticmethod
    def place(attempt_id: UUID) -> str:
        """What the sealed verifier is bound to."""
        return f"login_attempt.sealed_verifier {attempt_id}"
