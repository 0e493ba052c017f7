"""Facts published by the notifications service, to the member concerned alone."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.event import Event, State, happens

EndpointStatus = Literal["active", "paused", "disabled", "deleted"]
Payload = Literal["full", "thin"]
Ordering = Literal["none", "entity"]
Authentication = Literal["none", "oauth2", "mtls"]


class WebhookEndpointState(State):
    """Where a member's system wants to hear of facts, and how.

    Until `verified_at` is there the receiver has not said that it wants them, and nothing is sent.
    While it fails, `failing_since` says since when, and `disables_at` until when it may.
    """

    id: UUID
    member: str
    url: str
    description: str | None
    event_types: tuple[str, ...]
    project_ids: tuple[UUID, ...] = Field(default=(), description="Only these; all, if empty.")
    payload: Payload = "full"
    header_names: tuple[str, ...] = ()
    rate_per_minute: int | None = None
    parallel: int = 4
    ordering: Ordering = "none"
    authentication: Authentication = "none"
    allowed_rate: int | None = Field(default=None, description="What the receiver agreed to.")
    verified_at: datetime | None = None
    failing_since: datetime | None = None
    disables_at: datetime | None = None
    status: EndpointStatus
    status_reason: str | None
    created_at: datetime
    updated_at: datetime


class WebhookEndpointEvent(Event[WebhookEndpointState]):
    publisher: ClassVar[str] = "notifications"
    entity: ClassVar[str] = "webhook_endpoint"


class WebhookEndpointCreated(WebhookEndpointEvent):
    """A member wants to hear of facts at a new address."""

    happened: ClassVar[str | None] = "created"


class WebhookEndpointChanged(WebhookEndpointEvent):
    """What its owner can choose is different now, or its secrets are."""

    happened: ClassVar[str | None] = "changed"


class WebhookEndpointVerified(WebhookEndpointEvent):
    """The receiver has said that it wants to be sent facts."""

    happened: ClassVar[str | None] = "verified"


class WebhookEndpointFailing(WebhookEndpointEvent):
    """A warning: it has failed since `failing_since`, and is disabled at `disables_at`."""

    happened: ClassVar[str | None] = "failing"


class WebhookEndpointRecovered(WebhookEndpointEvent):
    """It works again, after a warning or after it was disabled for failing."""

    happened: ClassVar[str | None] = "recovered"


class WebhookEndpointDisabled(WebhookEndpointEvent):
    """The platform stopped sending there; `status_reason` says why."""

    happened: ClassVar[str | None] = "disabled"


class WebhookEndpointDeleted(WebhookEndpointEvent):
    """The member no longer wants to hear of facts there."""

    happened: ClassVar[str | None] = "deleted"


class InboxItemState(State):
    """One line of an official's inbox: what happened to one thing, and why it concerns them."""

    id: UUID
    official_id: UUID
    member: str
    is_read: bool
    updated_at: datetime


class InboxItemEvent(Event[InboxItemState]):
    publisher: ClassVar[str] = "notifications"
    entity: ClassVar[str] = "inbox_item"


class InboxItemRead(InboxItemEvent):
    """The official has seen it."""

    happened: ClassVar[str | None] = "read"


class InboxItemUnread(InboxItemEvent):
    """The official wants to see it again."""

    happened: ClassVar[str | None] = "unread"


happens(
    WebhookEndpointCreated,
    WebhookEndpointChanged,
    WebhookEndpointVerified,
    WebhookEndpointFailing,
    WebhookEndpointRecovered,
    WebhookEndpointDisabled,
    WebhookEndpointDeleted,
    InboxItemRead,
    InboxItemUnread,
)
