"""The tables of messaging; each service has its own copy of them in its own database."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    func,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import NAMING, TYPES


class MessagingBase(DeclarativeBase):
    """Root of the messaging tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {**TYPES, bytes: LargeBinary}


class OutboxMessage(MessagingBase):
    """An event on its way out; the relay moves it to `event_log` when the broker has it."""

    __tablename__ = "outbox"

    position: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[UUID]
    subject: Mapped[str]
    body: Mapped[bytes]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class LoggedEvent(MessagingBase):
    """An event that has left: the history of the service, and what a lost stream is refilled from.

    Partitioned by month, so that old history can be moved away without a long delete.
    """

    __tablename__ = "event_log"
    __table_args__ = (
        Index("ix_event_log_event_id", "event_id"),
        {"postgresql_partition_by": "RANGE (recorded_at)"},
    )

    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[UUID]
    subject: Mapped[str]
    body: Mapped[bytes]


class KnownStream(MessagingBase):
    """The stream as the relay last saw it; another `created_at` says that it was lost."""

    __tablename__ = "known_stream"

    name: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class InboxEntry(MessagingBase):
    """An event whose effect cannot be repeated and has happened."""

    __tablename__ = "inbox"
    __table_args__ = (Index("ix_inbox_received_at", "received_at"),)

    consumer: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DeadLetter(MessagingBase):
    """A message that a consumer could not handle, with the reason."""

    __tablename__ = "dead_letter"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    consumer: Mapped[str]
    stream: Mapped[str]
    stream_sequence: Mapped[int]
    subject: Mapped[str]
    body: Mapped[bytes]
    reason: Mapped[str]
    attempts: Mapped[int]
    failed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    settled_at: Mapped[datetime | None]
    settlement: Mapped[str | None]


class RememberedAnswer(MessagingBase):
    """The answer to a request that carried an Idempotency-Key."""

    __tablename__ = "remembered_answer"
    __table_args__ = (Index("ix_remembered_answer_answered_at", "answered_at"),)

    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes]
    answered_at: Mapped[datetime] = mapped_column(server_default=func.now())
