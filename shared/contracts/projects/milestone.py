"""Facts about milestones and what is contributed to them."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.contracts.event import Event, State

MilestoneStatus = Literal["planned", "in_progress", "completed", "cancelled"]
ContributionStatus = Literal["pending", "delivered", "accepted", "returned"]


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
    links: tuple[str, ...] = ()


class DependencyState(BaseModel):
    """What a milestone waits for: it cannot be done before `lag_days` after the other one."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)

    milestone_id: UUID
    lag_days: int = 0


class MilestoneState(State):
    """A result owed by a deadline: the end of the day `due_on` in `time_zone`.

    `baseline_on` is the day that was promised first, `forecast_on` the one that the accountable
    member expects, `completed_on` the day on which it was done; all days are days in `time_zone`.
    """

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
    baseline_on: date | None = None
    forecast_on: date | None = None
    completed_on: date | None = None
    progress_percent: int = 0
    depends_on: tuple[DependencyState, ...] = ()


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


class MilestoneDependenciesChanged(MilestoneEvent):
    """It waits for other milestones now, or for fewer."""

    happened: ClassVar[str | None] = "dependencies_changed"


class MilestoneProgressReported(MilestoneEvent):
    """The accountable member said how far it is and when it expects to be done."""

    happened: ClassVar[str | None] = "progress_reported"


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
