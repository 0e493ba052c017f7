"""A person's session at the authorization server, in one browser."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base
from shared.identifiers import new_id


class SignIn(Base, kw_only=True):
    """Somebody logged in as one official. It ends by leaving, by resting and by itself."""

    __tablename__ = "sign_in"
    __table_args__ = (
        Index(
            "ix_sign_in_official_id",
            "official_id",
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_sign_in_provider_id_upstream_sid", "provider_id", "upstream_sid"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    cookie_hash: Mapped[str] = mapped_column(unique=True)
    official_id: Mapped[UUID] = mapped_column(ForeignKey("official.id"))
    member: Mapped[str] = mapped_column(ForeignKey("member.slug"))
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("identity_provider.id"))
    upstream_sid: Mapped[str | None]
    upstream_subject: Mapped[str] = mapped_column(repr=False)
    sealed_id_token: Mapped[str] = mapped_column(repr=False)
    """What the provider said, for its own logout."""
    acr: Mapped[str | None]
    authenticated_at: Mapped[datetime]
    """When the person last proved who they are."""
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ends_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    ended_because: Mapped[str | None] = mapped_column(default=None)

    def is_good(self, at: datetime, *, rest: timedelta) -> bool:
        """Tell whether it still stands: neither ended, nor over, nor left alone for `rest`."""
        return self.ended_at is None and at < self.ends_at and at - self.seen_at < rest

    def end(self, *, because: str, at: datetime) -> bool:
        """End it, unless it has ended.

        Returns:
            Whether anything is different now.
        """
        if self.ended_at is not None:
            return False
        self.ended_at, self.ended_because = at, because
        return True

    @staticmethod
    def place(sign_in_id: UUID) -> str:
        """What the sealed id_token is bound to."""
        return f"sign_in.sealed_id_token {sign_in_id}"
