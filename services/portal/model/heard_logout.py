"""A notice of logout that was heard, and counts once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.portal.model.base import Base


class HeardLogout(Base, kw_only=True):
    """The authorization server has said that a session is over.

    Its `sid` is kept, too: the notice may arrive in the moment between the answer to a login and
    the session that is made of it, which then must not begin.
    """

    __tablename__ = "heard_logout"

    identifier: Mapped[str] = mapped_column(primary_key=True)
    sid: Mapped[UUID | None] = mapped_column(index=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
