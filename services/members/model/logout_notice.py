"""An application must still be told that a person's session in it has ended.

Source: OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.5.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base
from services.members.model.logout_token import EVENT
from shared.identifiers import new_id

TOKEN_LASTS: Final = timedelta(minutes=2)
LEASE: Final = timedelta(minutes=1)
"""Nobody else tries while an attempt is at work; longer than any attempt takes."""
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=10)
TRIED_FOR: Final = timedelta(hours=6)


class LogoutNotice(Base, kw_only=True):
    """Waits until the application has taken it, or has not for so long that it is given up."""

    __tablename__ = "logout_notice"
    __table_args__ = (Index("ix_logout_notice_due_at_id", "due_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    client_id: Mapped[str]
    """No foreign key: it would wait for whoever revokes the client, who waits for the session."""
    session_id: Mapped[UUID]
    official_id: Mapped[UUID]
    made_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)

    def claim(self, *, at: datetime) -> None:
        """Let nobody else try for a while."""
        self.attempts += 1
        self.due_at = at + LEASE

    def put_off(self, *, at: datetime) -> bool:
        """Try again after a pause that doubles each time.

        Returns:
            Whether it is worth trying again.
        """
        if at - self.made_at >= TRIED_FOR:
            return False
        doubled = min(self.attempts - 1, 20)
        self.due_at = at + min(FIRST_PAUSE * 2**doubled, LONGEST_PAUSE)
        return True


def new_logout_token(
    *, issuer: str, client_id: str, session_id: UUID, official_id: UUID, key: RSAKey, now: datetime
) -> str:
    """Write what an application can trust: who has left it, and which session that was.

    Each attempt has one of its own, since an application refuses the second sight of a `jti` even
    if its answer to the first was lost.
    """
    instant = int(now.timestamp())
    claims = {
        "iss": issuer,
        "aud": client_id,
        "sub": str(official_id),
        "sid": str(session_id),
        "iat": instant,
        "exp": instant + int(TOKEN_LASTS.total_seconds()),
        "jti": str(new_id()),
        "events": {EVENT: {}},
    }
    header = {"alg": "RS256", "typ": "logout+jwt", "kid": key.kid}
    return jwt.encode(header, claims, key, algorithms=["RS256"])
