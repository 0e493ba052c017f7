"""Facts about the places of members in projects."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.contracts.event import Event, State

ParticipationRole = Literal["lead", "participant", "observer"]
ParticipationStatus = Literal["invited", "accepted", "declined", "expired", "withdrawn"]


class ParticipationState(State):
    """A member's place in a project."""

    id: UUID
    project_id: UUID
    member: str
    role: ParticipationRole
    status: ParticipationStatus
    reservation: str | None
    note: str | None
    invited_at: datetime
    answered_at: datetime | None
    withdrawn_on: date | None
    created_at: datetime
    updated_at: datetime


class ParticipationEvent(Event[ParticipationState]):
    publisher: ClassVar[str] = "projects"
    entity: ClassVar[str] = "participation"


class ParticipationInvited(ParticipationEvent):
    """The lead asked a member to take part."""

    happened: ClassVar[str | None] = "invited"


class ParticipationAccepted(ParticipationEvent):
    """The member takes part; `reservation` says what it does not agree to, if anything."""

    happened: ClassVar[str | None] = "accepted"


class ParticipationDeclined(ParticipationEvent):
    """The member does not take part."""

    happened: ClassVar[str | None] = "declined"


class ParticipationWithdrawn(ParticipationEvent):
    """The member no longer takes part, from `withdrawn_on` on."""

    happened: ClassVar[str | None] = "withdrawn"


class ParticipationRoleChanged(ParticipationEvent):
    """The member leads the project now, or has handed it over."""

    happened: ClassVar[str | None] = "role_changed"
