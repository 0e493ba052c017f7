"""What an application asked for, kept while the person logs in or the application sends them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base
from shared.identifiers import new_id


class AuthorizationRequest(Base, kw_only=True):
    """Checked parameters of an authorization. Good once. Source: RFC 6749, RFC 9126."""

    __tablename__ = "authorization_request"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    handle_hash: Mapped[str | None] = mapped_column(unique=True, default=None)
    """Of the `request_uri`, where the application pushed it."""
    browser_hash: Mapped[str | None] = mapped_column(default=None)
    """Of the cookie of the browser that brought it."""
    client_id: Mapped[str] = mapped_column(ForeignKey("client.id"))
    parameters: Mapped[dict[str, str]]
    reauthenticated_at: Mapped[datetime | None] = mapped_column(default=None)
    """When somebody proved who they are for this very request."""
    reauthenticated_by: Mapped[UUID | None] = mapped_column(default=None)
    """The session in which they did: another person's proof, in another browser, is not theirs."""
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None] = mapped_column(default=None)

    def is_good(self, now: datetime) -> bool:
        """Tell whether it can be gone on with."""
        return self.used_at is None and self.expires_at > now
