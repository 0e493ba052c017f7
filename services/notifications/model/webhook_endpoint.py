"""Where a member's system wants to hear of facts, and the secret that signs what it gets."""

import os
from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.model.base import Base, Versioned
from services.notifications.model.event_types import are_covered
from shared.contracts.notifications import EndpointStatus, WebhookEndpointState
from shared.identifiers import new_id
from shared.refusals import Conflict, NotFound

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 -- the standard's prefix, not a secret
SECRET_BYTES: Final = 32
ENDPOINTS_MAX: Final = 20
"""Of one member: a fact is queued for all who may hear of it at once, and they share senders."""


class WebhookEndpointNotFound(NotFound):
    code = "webhook-endpoint-not-found"
    title = "There is no such webhook endpoint"


class WebhookEndpointNotActive(Conflict):
    code = "webhook-endpoint-not-active"
    title = "Nothing is sent to this webhook endpoint at present"


class TooManyWebhookEndpoints(Conflict):
    code = "too-many-webhook-endpoints"
    title = "The member has as many webhook endpoints as it can have"


class WebhookEndpoint(Versioned, Base, kw_only=True):
    """An address of a member's system, with the types of events that it wants.

    While it is paused nothing is sent and nothing new is queued; what waits goes on waiting. The
    platform disables it when the receiver says that it is gone. Deleting is final.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'paused', 'disabled', 'deleted')", name="status"),
        Index(
            "ix_webhook_endpoint_active_member",
            "member",
            postgresql_where=text("status = 'active'"),
        ),
        Index("ix_webhook_endpoint_member_created_at", "member", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    member: Mapped[str]
    url: Mapped[str]
    description: Mapped[str | None]
    event_types: Mapped[tuple[str, ...]]
    status: Mapped[str] = mapped_column(init=False, default="active")
    status_reason: Mapped[str | None] = mapped_column(init=False, default=None)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    def change(self, wanted: dict[str, Any], *, at: datetime) -> bool:
        """Take over what its owner wants to be different, by name of the field.

        Returns:
            Whether anything is different now.
        """
        changed = {name: value for name, value in wanted.items() if getattr(self, name) != value}
        for name, value in changed.items():
            setattr(self, name, value)
        if "status" in changed:
            self.status_reason = None
        if changed:
            self._touch(at)
        return bool(changed)

    def tells_more_with(self, wanted: dict[str, Any]) -> bool:
        """Tell whether a change sends facts to another address, or others to this one."""
        if wanted.get("url", self.url) != self.url:
            return True
        return not are_covered(wanted.get("event_types", self.event_types), by=self.event_types)

    def disable(self, reason: str, *, at: datetime) -> bool:
        """Send nothing there any more, until its owner activates it again.

        Returns:
            Whether that is new.
        """
        if self.status in {"disabled", "deleted"}:
            return False
        self._become("disabled", reason, at)
        return True

    def delete(self, *, at: datetime) -> None:
        self._become("deleted", None, at)

    def ensure_active(self) -> None:
        """Refuse what makes sense only for an endpoint that is sent to.

        Raises:
            WebhookEndpointNotActive: it is paused or disabled.
        """
        if self.status != "active":
            raise WebhookEndpointNotActive(f"It is {self.status}; activate it first.")

    def _become(self, status: EndpointStatus, reason: str | None, at: datetime) -> None:
        self.status, self.status_reason = status, reason
        self._touch(at)

    def _touch(self, at: datetime) -> None:
        self.updated_at = at
        self.version += 1

    def state(self) -> WebhookEndpointState:
        return WebhookEndpointState.model_validate(self)


class WebhookSecret(Base, kw_only=True):
    """The key that signs what an endpoint gets; `sealed` binds it to this row."""

    __tablename__ = "webhook_secret"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoint.id"), index=True)
    sealed: Mapped[str]
    created_at: Mapped[datetime]


def secret_place(secret_id: UUID) -> str:
    """What a sealed secret is bound to."""
    return f"webhook_secret sealed {secret_id}"


def new_secret() -> bytes:
    return os.urandom(SECRET_BYTES)


def written_secret(secret: bytes) -> str:
    """The form in which the receiver gets it. Source: Standard Webhooks 1.0.0."""
    return SECRET_PREFIX + b64encode(secret).decode()


def read_secret(written: str) -> bytes:
    return b64decode(written.removeprefix(SECRET_PREFIX))
