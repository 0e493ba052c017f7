"""All that is issued on one authorization of one application, and its one-time secrets."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base
from services.members.model.client import Client
from services.members.model.official import Official
from services.members.model.rights import scopes_of
from services.members.model.scopes import IDENTITY_SCOPES
from shared.contracts.members import SessionState
from shared.database import Strings
from shared.identifiers import new_id
from shared.refusals import Conflict

LONGEST_TOKEN: Final = timedelta(hours=1, minutes=5)
"""No access token is good for longer, whatever the settings, with some minutes for clocks."""

CODE_LIFETIME: Final = timedelta(seconds=60)


class UsedBefore(Conflict):
    code = "used-before"
    title = "This can be used once, and has been"


class SessionOver(Conflict):
    code = "session-over"
    title = "The session is over"


class TokenFamily(Base, kw_only=True):
    """A person's session in an application. Its id is the `sid` of all its tokens.

    It is made with the code, so that a code or refresh token that is used twice ends it.
    """

    __tablename__ = "token_family"
    __table_args__ = tuple(
        Index(f"ix_token_family_{column}", column, postgresql_where=text("revoked_at IS NULL"))
        for column in ("official_id", "sign_in_id", "client_id")
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    sign_in_id: Mapped[UUID] = mapped_column(ForeignKey("sign_in.id"))
    client_id: Mapped[str] = mapped_column(ForeignKey("client.id"))
    official_id: Mapped[UUID] = mapped_column(ForeignKey("official.id"))
    member: Mapped[str] = mapped_column(ForeignKey("member.slug"))
    scopes: Mapped[tuple[str, ...]] = mapped_column(Strings)
    """What was asked for; a token covers what role and client have of it when it is issued."""
    dpop_thumbprint: Mapped[str | None] = mapped_column(default=None)
    """Of the key that the tokens are bound to. Source: RFC 9449."""
    acr: Mapped[str | None]
    authenticated_at: Mapped[datetime]
    began_at: Mapped[datetime]
    ends_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)
    revoked_because: Mapped[str | None] = mapped_column(default=None)

    def is_good(self, now: datetime) -> bool:
        """Tell whether tokens of it may be issued and used."""
        return self.revoked_at is None and self.ends_at > now

    def ensure_good(
        self, official: Official, *, dpop_thumbprint: str | None, now: datetime
    ) -> None:
        """Refuse tokens when the session or the official cannot have any.

        Raises:
            SessionOver: it has ended, its official may not act, or whoever asks has another key.
        """
        if not self.is_good(now):
            raise SessionOver("It has ended.")
        if official.status != "active":
            raise SessionOver("The official may no longer act.")
        if self.dpop_thumbprint not in (None, dpop_thumbprint):
            raise SessionOver("It is bound to another key.")

    def covered(self, client: Client, official: Official, *, is_host: bool) -> tuple[str, ...]:
        """What a token covers that is issued now: roles and client may have changed meanwhile."""
        granted = {*scopes_of(official.roles, is_host=is_host)} & {*client.scopes}
        return tuple(scope for scope in self.scopes if scope in granted or scope in IDENTITY_SCOPES)

    def end(self, *, because: str, at: datetime) -> SessionState:
        """End it for good.

        Returns:
            What others must know.
        """
        self.revoked_at, self.revoked_because = at, because
        return self.ending(at)

    def ending(self, at: datetime) -> SessionState:
        """Its end at `at`, with until when others may meet a token of it."""
        return SessionState(
            id=self.id,
            version=1,
            member=self.member,
            official_id=self.official_id,
            client_id=self.client_id,
            ended_at=at,
            good_until=at + LONGEST_TOKEN,
        )


class AuthorizationCode(Base, kw_only=True):
    """A code that can be redeemed once."""

    __tablename__ = "authorization_code"

    hash: Mapped[str] = mapped_column(primary_key=True)
    family_id: Mapped[UUID] = mapped_column(ForeignKey("token_family.id"), index=True)
    redirect_uri: Mapped[str]
    nonce: Mapped[str | None]
    code_challenge: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None] = mapped_column(default=None)


class RefreshToken(Base, kw_only=True):
    """A link of the chain; whoever uses it a second time ends the family."""

    __tablename__ = "refresh_token"

    hash: Mapped[str] = mapped_column(primary_key=True)
    family_id: Mapped[UUID] = mapped_column(ForeignKey("token_family.id"), index=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None] = mapped_column(default=None)


class UsedIdentifier(Base, kw_only=True):
    """A `jti` that has been seen, and must not be seen again before it expires."""

    __tablename__ = "used_identifier"

    owner: Mapped[str] = mapped_column(primary_key=True)
    """Whose identifiers these are, such as `client:seoul-desk-1a2b3c4d`."""
    identifier: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Consent(Base, kw_only=True):
    """What a person lets an application of somebody else do in their name."""

    __tablename__ = "consent"

    official_id: Mapped[UUID] = mapped_column(ForeignKey("official.id"), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("client.id"), primary_key=True)
    scopes: Mapped[tuple[str, ...]] = mapped_column(Strings)
    given_at: Mapped[datetime]
