"""Facts published by the notifications service, to the member concerned alone."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.contracts.event import Event, State, happens

EndpointStatus = Literal["active", "paused", "disabled", "deleted"]


class WebhookEndpointState(State):
    """Where a member's system wants to hear of facts."""

    id: UUID
    member: str
    url: str
    description: str | None
    event_types: tuple[str, ...]
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
    """Address, description, event types or status of the endpoint are different now."""

    happened: ClassVar[str | None] = "changed"


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
    WebhookEndpointDisabled,
    WebhookEndpointDeleted,
    InboxItemRead,
    InboxItemUnread,
)
