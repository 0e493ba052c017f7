"""Facts published by the projects service: what members do together, and what they owe."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.contracts.event import Event, State, happens

ProjectStatus = Literal["draft", "proposed", "active", "suspended", "completed", "cancelled"]
Visibility = Literal["participants", "network"]
ParticipationRole = Literal["lead", "participant", "observer"]
ParticipationStatus = Literal["invited", "accepted", "declined", "expired", "withdrawn"]
MilestoneStatus = Literal["planned", "in_progress", "completed", "cancelled"]
ContributionStatus = Literal["pending", "delivered", "accepted", "returned"]


class ProjectState(State):
    """A joint project. `status_reason` says why it has the status it has, where that matters."""

    id: UUID
    reference: str
    title: dict[str, str]
    summary: dict[str, str]
    objectives: tuple[str, ...]
    lead: str
    visibility: Visibility
    status: ProjectStatus
    status_reason: str | None
    starts_on: date | None
    ends_on: date | None
    created_at: datetime
    updated_at: datetime


class ProjectEvent(Event[ProjectState]):
    publisher: ClassVar[str] = "projects"
    entity: ClassVar[str] = "project"


class ProjectDrafted(ProjectEvent):
    """A member began a project; nobody else sees it yet."""

    happened: ClassVar[str | None] = "drafted"


class ProjectChanged(ProjectEvent):
    """Title, summary, objectives, visibility or period are different now."""

    happened: ClassVar[str | None] = "changed"


class ProjectProposed(ProjectEvent):
    """The lead opened the project for invitations."""

    happened: ClassVar[str | None] = "proposed"


class ProjectActivated(ProjectEvent):
    """Enough members accepted; work begins."""

    happened: ClassVar[str | None] = "activated"


class ProjectSuspended(ProjectEvent):
    """Work rests."""

    happened: ClassVar[str | None] = "suspended"


class ProjectResumed(ProjectEvent):
    """Work goes on."""

    happened: ClassVar[str | None] = "resumed"


class ProjectCompleted(ProjectEvent):
    """Every milestone is completed or cancelled, and the lead closed the project. Final."""

    happened: ClassVar[str | None] = "completed"


class ProjectCancelled(ProjectEvent):
    """The project ends without its result. Final."""

    happened: ClassVar[str | None] = "cancelled"


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


class ContributionState(BaseModel):
    """What one member owes to a milestone."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)

    id: UUID
    member: str
    description: str
    status: ContributionStatus
    evidence: str | None
    reason: str | None
    delivered_at: datetime | None
    decided_at: datetime | None


class MilestoneState(State):
    """A result owed by a deadline: the end of the day `due_on` in `time_zone`."""

    id: UUID
    project_id: UUID
    title: dict[str, str]
    description: dict[str, str] | None
    due_on: date
    time_zone: str
    due_at: datetime
    accountable: str
    status: MilestoneStatus
    status_reason: str | None = None
    is_overdue: bool
    completed_at: datetime | None
    contributions: tuple[ContributionState, ...]
    created_at: datetime
    updated_at: datetime


class MilestoneEvent(Event[MilestoneState]):
    publisher: ClassVar[str] = "projects"
    entity: ClassVar[str] = "milestone"


class MilestonePlanned(MilestoneEvent):
    """The project owes a new result."""

    happened: ClassVar[str | None] = "planned"


class MilestoneChanged(MilestoneEvent):
    """Title or description are different now."""

    happened: ClassVar[str | None] = "changed"


class MilestoneRescheduled(MilestoneEvent):
    """The deadline is another one now."""

    happened: ClassVar[str | None] = "rescheduled"


class MilestoneStarted(MilestoneEvent):
    """The accountable member began."""

    happened: ClassVar[str | None] = "started"


class MilestoneCompleted(MilestoneEvent):
    """The accountable member declared the milestone done. Final: there is no reopening."""

    happened: ClassVar[str | None] = "completed"


class MilestoneCancelled(MilestoneEvent):
    """The result is no longer owed. Final."""

    happened: ClassVar[str | None] = "cancelled"


class MilestoneBecameOverdue(MilestoneEvent):
    """The deadline passed with the milestone still open."""

    happened: ClassVar[str | None] = "became_overdue"


class ContributionRequested(MilestoneEvent):
    """A member is asked to contribute to a milestone."""

    happened: ClassVar[str | None] = "contribution_requested"


class ContributionDelivered(MilestoneEvent):
    """A contributing member says that its part is there."""

    happened: ClassVar[str | None] = "contribution_delivered"


class ContributionAccepted(MilestoneEvent):
    """The accountable member took the contribution."""

    happened: ClassVar[str | None] = "contribution_accepted"


class ContributionReturned(MilestoneEvent):
    """The accountable member gave the contribution back, with a reason."""

    happened: ClassVar[str | None] = "contribution_returned"


happens(
    ProjectDrafted,
    ProjectChanged,
    ProjectProposed,
    ProjectActivated,
    ProjectSuspended,
    ProjectResumed,
    ProjectCompleted,
    ProjectCancelled,
    ParticipationInvited,
    ParticipationAccepted,
    ParticipationDeclined,
    ParticipationWithdrawn,
    MilestonePlanned,
    MilestoneChanged,
    MilestoneRescheduled,
    MilestoneStarted,
    MilestoneCompleted,
    MilestoneCancelled,
    MilestoneBecameOverdue,
    ContributionRequested,
    ContributionDelivered,
    ContributionAccepted,
    ContributionReturned,
)
