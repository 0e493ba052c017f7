"""What a member may know, in order: its feed of facts, and how far its systems have read it."""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.model.base import Base, Versioned
from shared.contracts.event import State
from shared.refusals import Conflict, Gone, Invalid, NotFound, PreconditionFailed

CURSORS_MAX: Final = 50
SEQUENCE_MAX: Final = 2**53 - 1
"""What every reader of JSON can tell from the one before."""

Sequence = Annotated[int, Field(ge=0, le=SEQUENCE_MAX)]
"""A place in a feed; 0 is the one before its first fact."""

CursorName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$")]
"""Such as `records-office.archive`."""

Withheld = Literal["left_project", "missing_scope"]
"""Why a fact of the feed is not told: to the member any more, or to whoever reads with this token.
"""


class FeedNotThatFar(Conflict):
    code = "feed-not-that-far"
    title = "The feed has not come to this sequence yet"


class FeedForgotten(Gone):
    code = "feed-forgotten"
    title = "What follows this sequence is not kept any more"


class FactNotFound(NotFound):
    code = "event-not-found"
    title = "There is no such event in your feed"


class StartContradicted(Invalid):
    code = "start-contradicted"
    title = "Say once where to begin"


class CursorNotFound(NotFound):
    code = "feed-cursor-not-found"
    title = "There is no such cursor"


class CursorExists(PreconditionFailed):
    code = "feed-cursor-exists"
    title = "There is a cursor of this name"


class TooManyCursors(Conflict):
    code = "too-many-feed-cursors"
    title = "The member has as many cursors as it can have"


class FeedEnd(Base, kw_only=True):
    """The last number of a member's feed; locked while facts are added to it.

    No fact enters with an earlier moment than `recorded_at`, so that moments rise with numbers and
    a day that was closed stays as it is.
    """

    __tablename__ = "feed_end"

    member: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int]
    recorded_at: Mapped[datetime]


class FeedEntry(Base, kw_only=True):
    """A fact in the feed of a member.

    The numbers of a member rise by one, and whoever sees one sees all below it. So a reader knows
    by the numbers alone that it has everything, and learns nothing of what others are told.
    """

    __tablename__ = "feed_entry"
    __table_args__ = (
        UniqueConstraint("member", "event_id"),
        Index("ix_feed_entry_event_id", "event_id"),
        Index("ix_feed_entry_recorded_at", "recorded_at"),
    )

    member: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_id: Mapped[UUID] = mapped_column(
        ForeignKey("webhook_message.event_id", deferrable=True, initially="DEFERRED")
    )
    recorded_at: Mapped[datetime]


class FeedCursorState(State):
    """How far one of a member's systems has read, under a name that it chose."""

    key = "name"

    name: str
    sequence: int
    created_at: datetime
    updated_at: datetime


class FeedCursor(Versioned, Base, kw_only=True):
    """How far one of a member's systems has read, under a name that it chose."""

    __tablename__ = "feed_cursor"

    member: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    def seek(self, sequence: int, *, at: datetime) -> None:
        """Go on after another place, be it an earlier one."""
        if sequence != self.sequence:
            self._move(sequence, at)

    def commit(self, sequence: int, *, at: datetime) -> None:
        """Note that all up to here has been dealt with; one that comes late changes nothing."""
        if sequence > self.sequence:
            self._move(sequence, at)

    def _move(self, sequence: int, at: datetime) -> None:
        self.sequence, self.updated_at = sequence, at
        self.version += 1

    def state(self) -> FeedCursorState:
        return FeedCursorState.model_validate(self)


class FeedDigest(Base, kw_only=True):
    """What a member's feed got on a day (UTC), signed, so that a city can prove it has it all.

    `sha256` is over the lines `<sequence> <event id>`, each with its newline. The days of a member
    follow each other without a gap, and so do their sequences: where nothing came,
    `first_sequence` is the one after `last_sequence`. `signed` says the same (JWS, compact) and
    holds the hash of the day before in its signed form.
    """

    __tablename__ = "feed_digest"

    member: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    first_sequence: Mapped[int]
    last_sequence: Mapped[int]
    count: Mapped[int]
    sha256: Mapped[str]
    signed: Mapped[str]
    made_at: Mapped[datetime]


class FeedKey(Base, kw_only=True):
    """A key that digests are signed with; the private part lies sealed."""

    __tablename__ = "feed_key"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sealed: Mapped[str]
    public_key: Mapped[bytes]
    created_at: Mapped[datetime]


def key_place(key_id: UUID) -> str:
    """What the sealed private part of a key is bound to."""
    return f"feed_key sealed {key_id}"


def ensure_within(sequence: int, *, first: int, end: int) -> None:
    """Refuse to go on after a place from which a feed cannot be read without a gap.

    Args:
        sequence: after which one wants to go on.
        first: the first that is kept, or would be next.
        end: the last there is.

    Raises:
        FeedNotThatFar: there is no such sequence yet.
        FeedForgotten: something that followed it is kept no longer.
    """
    if sequence > end:
        raise FeedNotThatFar(f"Its last sequence is {end}.", members={"end": end})
    if sequence < first - 1:
        members: dict[str, Any] = {"first": first, "end": end}
        raise FeedForgotten(
            f"The first sequence that is kept is {first}: go on after {first - 1}.",
            members=members,
        )
