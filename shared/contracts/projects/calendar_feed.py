"""Facts about calendar feeds, to the member concerned alone. None tells where a feed is read."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.contracts.event import Event, State

CalendarFeedKind = Literal["official", "member", "project"]
CalendarFeedStatus = Literal["active", "revoked"]


class CalendarFeedState(State):
    """An address at which somebody's calendar reads what is due. `kind` says what it holds.

    `official`: what the member owes; `member`: what is due in projects that it leads, takes part in
    or is invited to; `project`: what is due in one project. `official_id` is the person who made
    it, if it was one, and `language` that of its words.
    """

    id: UUID
    member: str
    official_id: UUID | None
    kind: CalendarFeedKind
    project_id: UUID | None
    language: str
    status: CalendarFeedStatus
    created_at: datetime
    updated_at: datetime


class CalendarFeedEvent(Event[CalendarFeedState]):
    publisher: ClassVar[str] = "projects"
    entity: ClassVar[str] = "calendar_feed"


class CalendarFeedCreated(CalendarFeedEvent):
    """Somebody's calendar may read what is due."""

    happened: ClassVar[str | None] = "created"


class CalendarFeedRevoked(CalendarFeedEvent):
    """The address of the feed is good no longer."""

    happened: ClassVar[str | None] = "revoked"
