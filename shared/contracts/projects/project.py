"""Facts about joint projects."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.contracts.event import Event, State

ProjectStatus = Literal["draft", "proposed", "active", "suspended", "completed", "cancelled"]
Visibility = Literal["participants", "network"]


class ProjectState(State):
    """A joint project. `status_reason` says why it has the status it has, where that matters.

    `charter` is the version in force of what those who take part agreed to, `charter_version` its
    number; 0 while there is none.
    """

    id: UUID
    reference: str
    title: dict[str, str]
    summary: dict[str, str]
    objectives: tuple[str, ...]
    themes: tuple[str, ...] = ()
    charter: dict[str, str] | None = None
    charter_version: int = 0
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
    """Title, summary, objectives, themes, visibility or period are different now."""

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


class ProjectLeadChanged(ProjectEvent):
    """Another member leads the project now."""

    happened: ClassVar[str | None] = "lead_changed"


class ProjectCharterAmended(ProjectEvent):
    """The terms on which members take part are different now, or were written first."""

    happened: ClassVar[str | None] = "charter_amended"
