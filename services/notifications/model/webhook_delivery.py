"""What waits to be sent to endpoints, what became of it, and every attempt."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.model.base import Base
from services.notifications.model.webhook_recovery import WebhookRecovery
from shared.identifiers import new_id
from shared.refusals import Forbidden, NotFound


class WebhookDeliveryNotFound(NotFound):
    code = "webhook-delivery-not-found"
    title = "There is no such delivery"


class FactWithheld(Forbidden):
    code = "fact-withheld"
    title = "The member is not told this any more"


Trigger = Literal["schedule", "resend", "recovery", "test", "probe"]
"""What began a round of attempts."""


class WebhookMessage(Base, kw_only=True):
    """A fact, once for all who get it: its body byte for byte as on the stream.

    Beside it stands what decides who may still be told, and in which order: the project that it
    belongs to, the member whose own place in that project it speaks of, and the entity. `chain` has
    the members whose facts led to it by webhooks, one after the other. A test message is no fact,
    and stands in no feed.
    """

    __tablename__ = "webhook_message"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_type: Mapped[str | None]
    body: Mapped[bytes]
    queued_at: Mapped[datetime] = mapped_column(index=True)
    occurred_at: Mapped[datetime | None]
    entity: Mapped[str | None] = mapped_column(index=True)
    project_id: Mapped[UUID | None]
    about_member: Mapped[str | None]
    is_for_all: Mapped[bool] = mapped_column(server_default="false")
    acting_member: Mapped[str | None]
    hops: Mapped[int] = mapped_column(default=0, server_default="0")
    chain: Mapped[tuple[str, ...]] = mapped_column(default=(), server_default="{}")


class WebhookDelivery(Base, kw_only=True):
    """One fact on its way to one endpoint: `pending`, then `delivered`, `failed` or `cancelled`.

    Whoever holds the lane of the endpoint works on it. `step` is the place in the schedule; sending
    it again starts the schedule anew, while `attempts` counts on. `priority` 1 is what is sent
    again in bulk, by a recovery: it goes behind what is new. A test is no fact. Where an endpoint
    wants the facts about an `entity` in order, none is due before its predecessors.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "event_id"),
        CheckConstraint("state IN ('pending', 'delivered', 'failed', 'cancelled')", name="state"),
        Index("ix_webhook_delivery_event_id", "event_id"),
        Index(
            "ix_webhook_delivery_due",
            "endpoint_id",
            "priority",
            "due_at",
            "id",
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_webhook_delivery_entity",
            "endpoint_id",
            "entity",
            "due_at",
            postgresql_where=text("state = 'pending' AND entity IS NOT NULL"),
        ),
        Index("ix_webhook_delivery_endpoint_id_created_at", "endpoint_id", "created_at", "id"),
        Index(
            "ix_webhook_delivery_not_delivered",
            "endpoint_id",
            "created_at",
            "id",
            postgresql_where=text("state IN ('failed', 'cancelled')"),
        ),
        Index(
            "ix_webhook_delivery_recovery_id",
            "recovery_id",
            postgresql_where=text("recovery_id IS NOT NULL"),
        ),
        Index(
            "ix_webhook_delivery_finished_at",
            "finished_at",
            postgresql_where=text("finished_at IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoint.id"))
    # Checked at the end of the transaction: which messages are needed is known after queueing.
    event_id: Mapped[UUID] = mapped_column(
        ForeignKey("webhook_message.event_id", deferrable=True, initially="DEFERRED")
    )
    event_type: Mapped[str]
    occurred_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="pending")
    state_reason: Mapped[str | None] = mapped_column(default=None)
    attempts: Mapped[int] = mapped_column(default=0)
    step: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    entity: Mapped[str | None] = mapped_column(default=None)
    trigger: Mapped[str] = mapped_column(default="schedule", server_default="schedule")
    is_test: Mapped[bool] = mapped_column(default=False, server_default="false")
    recovery_id: Mapped[UUID | None] = mapped_column(ForeignKey(WebhookRecovery.id), default=None)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(default=None)

    @property
    def message_id(self) -> str:
        return message_id(self.event_id)

    @property
    def next_attempt_at(self) -> datetime | None:
        return self.due_at if self.state == "pending" else None

    def send_again(self, *, at: datetime) -> None:
        """Make it due now, whatever became of it; an attempt at work goes on undisturbed."""
        if self.state != "pending":
            self.state, self.state_reason, self.finished_at = "pending", None, None
            self.step = 0
        self.due_at, self.priority, self.trigger = at, 0, "resend"


class WebhookAttempt(Base, kw_only=True):
    """One request that was made, and what came back."""

    __tablename__ = "webhook_attempt"
    __table_args__ = (
        Index("ix_webhook_attempt_delivery_id_started_at", "delivery_id", "started_at", "id"),
        Index("ix_webhook_attempt_endpoint_id_started_at", "endpoint_id", "started_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_delivery.id", ondelete="CASCADE"))
    endpoint_id: Mapped[UUID | None]
    started_at: Mapped[datetime]
    duration_ms: Mapped[int]
    status: Mapped[int | None]
    error: Mapped[str | None]
    excerpt: Mapped[str | None]
    trigger: Mapped[str] = mapped_column(default="schedule", server_default="schedule")


def message_id(event_id: UUID) -> str:
    """`webhook-id`: the same for every attempt, so that a receiver knows a repetition."""
    return f"msg_{event_id}"
