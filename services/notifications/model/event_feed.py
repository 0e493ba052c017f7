"""What a member may know, in order: its feed of facts, and how far its systems have read it."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.model.base import Base


class FeedEnd(Base, kw_only=True):
    """The last number of a member's feed; locked while facts are added to it."""

    __tablename__ = "feed_end"

    member: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int]


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


class FeedCursor(Base, kw_only=True):
    """How far one of a member's systems has read, under a name that it chose."""

    __tablename__ = "feed_cursor"

    member: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class FeedDigest(Base, kw_only=True):
    """What a member's feed got on a day (UTC), signed, so that a city can prove it has it all."""

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
