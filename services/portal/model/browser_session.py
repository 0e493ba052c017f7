"""A person's session with the portal, in one browser."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.portal.model.base import Base
from shared.identifiers import new_id

EARLY: Final = timedelta(seconds=20)
"""So long before its end an access token is replaced: it must still be good on arrival."""
NOTED: Final = timedelta(seconds=60)
"""That somebody is there is written down no more often."""


class BrowserSession(Base, kw_only=True):
    """Somebody logged in as one official. It ends by leaving, by resting and by itself.

    The browser knows a secret of which only the hash is here; the tokens, which act for the person,
    never leave the portal and lie sealed.
    """

    __tablename__ = "browser_session"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    cookie_hash: Mapped[str] = mapped_column(unique=True, repr=False)
    official_id: Mapped[UUID] = mapped_column(index=True)
    sid: Mapped[UUID] = mapped_column(index=True)
    """What the authorization server calls this session."""
    sealed_access_token: Mapped[str] = mapped_column(repr=False)
    access_ends_at: Mapped[datetime]
    sealed_refresh_token: Mapped[str] = mapped_column(repr=False)
    sealed_id_token: Mapped[str] = mapped_column(repr=False)
    """For the logout at the authorization server."""
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime] = mapped_column(index=True)

    def is_good(self, at: datetime, *, rest: timedelta) -> bool:
        """Tell whether it still stands: neither over nor left alone for `rest`."""
        return at < self.ends_at and at - self.seen_at < rest

    def needs_tokens(self, at: datetime) -> bool:
        """Tell whether the access token is about to end."""
        return at >= self.access_ends_at - EARLY

    def needs_note(self, at: datetime) -> bool:
        """Tell whether it is to be written down that somebody is there."""
        return at - self.seen_at >= NOTED

    def note_presence(self, at: datetime) -> None:
        """Somebody asked for something just now."""
        if self.needs_note(at):
            self.seen_at = at

    @staticmethod
    def place(kind: str, session_id: UUID) -> str:
        """What a sealed token is bound to; `kind` is `access`, `refresh` or `id`."""
        return f"browser_session.sealed_{kind}_token {session_id}"
