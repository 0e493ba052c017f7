"""Sending an endpoint what it did not get: once more in bulk, behind what is new."""

from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.model.base import Base
from shared.identifiers import new_id
from shared.refusals import Conflict, Invalid, NotFound

RecoveryKind = Literal["failed", "missed", "all"]
RecoveryState = Literal["running", "completed", "cancelled"]

CANCELLED: Final = "recovery_cancelled"
"""Why a delivery was cancelled whose recovery was."""


PROBED_FIRST: Final = timedelta(minutes=15)
PROBED_LAST: Final = timedelta(hours=6)


class WebhookRecoveryNotFound(NotFound):
    code = "webhook-recovery-not-found"
    title = "There is no such recovery"


class WebhookRecoveryRunning(Conflict):
    code = "webhook-recovery-running"
    title = "A recovery of this webhook endpoint is at work"


class WebhookRecoveryOver(Conflict):
    code = "webhook-recovery-over"
    title = "Nothing of this recovery is left to cancel"


class RecoveryPeriodInvalid(Invalid):
    code = "recovery-period-invalid"
    title = "The period cannot be made up for"


class WebhookRecovery(Base, kw_only=True):
    """What an endpoint did not get in a period is on its way to it again.

    `failed` is what was given up or cancelled, if the member may be told it by now; `missed` is
    what was never queued, as it was paused, disabled or not made yet; `all` is both. It walks along
    the member's feed; `sequence` is how far it is, and nothing before it has begun with it.
    """

    __tablename__ = "webhook_recovery"
    __table_args__ = (
        CheckConstraint("kind IN ('failed', 'missed', 'all')", name="kind"),
        CheckConstraint("state IN ('running', 'completed', 'cancelled')", name="state"),
        Index(
            "uq_webhook_recovery_running",
            "endpoint_id",
            unique=True,
            postgresql_where=text("state = 'running'"),
        ),
        Index("ix_webhook_recovery_endpoint_id_created_at", "endpoint_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoint.id"))
    kind: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime]
    event_types: Mapped[tuple[str, ...]] = mapped_column(default=(), server_default="{}")
    requested_by: Mapped[str | None]
    expected: Mapped[int]
    queued: Mapped[int] = mapped_column(init=False, default=0)
    sequence: Mapped[int | None] = mapped_column(init=False, default=None)
    state: Mapped[str] = mapped_column(init=False, default="running")
    state_reason: Mapped[str | None] = mapped_column(init=False, default=None)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(init=False, default=None)

    @property
    def is_of_failed(self) -> bool:
        return self.kind in {"failed", "all"}

    @property
    def is_of_missed(self) -> bool:
        return self.kind in {"missed", "all"}

    def advance(self, *, queued: int, at: datetime, sequence: int | None = None) -> None:
        """Note what was queued, and how far along the feed that was."""
        self.queued += queued
        self.sequence = self.sequence if sequence is None else sequence
        self.updated_at = at

    def complete(self, *, at: datetime) -> None:
        """Note that all of it is queued."""
        self._end("completed", None, at)

    def cancel(self, reason: str, *, at: datetime) -> None:
        """Queue nothing more of it."""
        self._end("cancelled", reason, at)

    def _end(self, state: RecoveryState, reason: str | None, at: datetime) -> None:
        self.state, self.state_reason = state, reason
        self.updated_at = self.finished_at = at


class WebhookProbe(Base, kw_only=True):
    """When an endpoint that was disabled for failing is tried next, to see whether it is well."""

    __tablename__ = "webhook_probe"
    __table_args__ = (Index("ix_webhook_probe_due_at", "due_at"),)

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoint.id"), primary_key=True)
    due_at: Mapped[datetime]
    made: Mapped[int] = mapped_column(default=0, server_default="0")

    def put_off(self, *, at: datetime) -> None:
        """Let the next one come later than the one before did."""
        self.made += 1
        self.due_at = at + min(PROBED_FIRST * 2 ** min(self.made, 10), PROBED_LAST)
