"""An address at which somebody's calendar reads what is due, without any other credential.

Whoever has the address reads what its maker may see at that moment, and nothing once the maker may
not act. Only a hash of the address is kept.
"""

import hashlib
import secrets
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.projects.model.base import Base
from services.projects.model.standing import MAY_READ, Standing
from shared.actor import Actor
from shared.contracts.projects import CalendarFeedKind, CalendarFeedState, CalendarFeedStatus
from shared.identifiers import new_id
from shared.refusals import Conflict, Forbidden, NotFound, permits

TOKEN_PREFIX: Final = "rkc_"  # noqa: S105 -- what every token begins with
TOKEN_BYTES: Final = 32
FEEDS_MAX: Final = 20


class CalendarFeedNotFound(NotFound):
    code = "calendar-feed-not-found"
    title = "There is no such calendar feed"


class OnlyPeopleHaveDuties(Forbidden):
    code = "only-people-have-duties"
    title = "A feed of an official can only be made by an official"


class TooManyCalendarFeeds(Conflict):
    code = "too-many-calendar-feeds"
    title = "You have as many calendar feeds as you can have"


class CalendarFeedIsRevoked(Conflict):
    code = "calendar-feed-revoked"
    title = "The calendar feed has been revoked"


class CalendarFeed(Base, kw_only=True):
    """Belongs to who made it: an official, or else a machine of the member."""

    __tablename__ = "calendar_feed"
    __table_args__ = (
        CheckConstraint("kind IN ('official', 'member', 'project')", name="kind"),
        CheckConstraint("(kind = 'project') = (project_id IS NOT NULL)", name="project"),
        CheckConstraint("status IN ('active', 'revoked')", name="status"),
        Index("uq_calendar_feed_token_hash", "token_hash", unique=True),
        Index("ix_calendar_feed_member_created_at_id", "member", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    member: Mapped[str]
    official_id: Mapped[UUID | None]
    client_id: Mapped[str | None]
    kind: Mapped[CalendarFeedKind] = mapped_column(Text)
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("project.id"))
    language: Mapped[str]
    token_hash: Mapped[bytes]
    status: Mapped[CalendarFeedStatus] = mapped_column(Text, init=False, default="active")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(init=False, default=1)

    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    @classmethod
    def make(
        cls,
        token: str,
        *,
        kind: CalendarFeedKind,
        project_id: UUID | None,
        language: str,
        by: Standing,
        at: datetime,
    ) -> "CalendarFeed":
        """Let whoever shows `token` read what the actor may see.

        Raises:
            MissingScope, MemberNotActive: the actor may not.
            OnlyPeopleHaveDuties: a machine asks for the feed of an official.
        """
        by.ensure_may_write(MAY_READ)
        if kind == "official" and by.actor.official_id is None:
            raise OnlyPeopleHaveDuties("Ask for the feed of the member or of a project.")
        return cls(
            member=by.member,
            official_id=by.actor.official_id,
            client_id=None if by.actor.official_id else by.actor.client_id,
            kind=kind,
            project_id=project_id,
            language=language,
            token_hash=token_hash_of(token),
            created_at=at,
            updated_at=at,
        )

    @property
    def maker(self) -> Actor:
        """Who reads, when the feed is read: whoever made it, through no application of theirs."""
        return Actor(
            member=self.member,
            client_id=self.client_id,
            official_id=self.official_id,
            scopes=frozenset({MAY_READ}),
        )

    def ensure_active(self) -> None:
        """Refuse to revoke twice.

        Raises:
            CalendarFeedIsRevoked: it has been revoked.
        """
        if self.status != "active":
            raise CalendarFeedIsRevoked(f"It was revoked at {self.updated_at.isoformat()}.")

    def revoke(self, *, by: Standing, at: datetime) -> None:
        """Let its address be good no longer. Final.

        Raises:
            MissingScope, MemberNotActive: the actor may not.
            CalendarFeedIsRevoked: it has been revoked.
        """
        by.ensure_may_write(MAY_READ)
        self.ensure_active()
        self.status = "revoked"
        self.version += 1
        self.updated_at = at

    def allowed_actions(self, by: Standing) -> list[str]:
        """Name what the actor may do to the feed now."""
        may = permits(by.ensure_may_write, MAY_READ) and permits(self.ensure_active)
        return ["revoke"] if may else []

    def state(self) -> CalendarFeedState:
        return CalendarFeedState.model_validate(self)


def new_token() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def token_hash_of(token: str) -> bytes:
    """What is kept of a token: it is too long to be guessed, so a plain hash hides it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def no_calendar_feed() -> CalendarFeedNotFound:
    """The same words whether there never was one, it was revoked, or its maker may not read."""
    return CalendarFeedNotFound("Ask for a new one if it was yours.")
