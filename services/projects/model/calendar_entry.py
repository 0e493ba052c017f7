"""What stands in a calendar: something that is due, of whatever kind."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from services.projects.model.decision import Decision
from services.projects.model.milestone import Milestone
from services.projects.model.participation import Participation
from services.projects.model.project import UNDER_WAY, Project

CalendarEntryKind = Literal["milestone", "decision", "participation"]
CalendarEntryStatus = Literal["tentative", "confirmed", "cancelled"]

ENTRIES_MAX: Final = 2_000
KEPT: Final = timedelta(days=90)
"""How long what was due, or was cancelled, stays in a calendar."""
AHEAD: Final = timedelta(days=5 * 365)
"""How far a calendar looks ahead; what is due later comes into it in time."""


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """Something that is due.

    Attributes:
        kind: with `id` it identifies the entry for good.
        version: rises with each change of the thing.
        changed_at: when thing or project last changed.
        due_at: the first moment that is too late.
        time_zone: of the clock by which that was declared.
        title: by language.
        description: by language.
        project: its reference, the same in every language.
        responsible: by language, the name of the member from which it is due; of a decision, which
            is due from many, that of the one that asks.
        path: where the API shows the thing.
    """

    kind: CalendarEntryKind
    id: UUID
    version: int
    changed_at: datetime
    due_at: datetime
    time_zone: str
    status: CalendarEntryStatus
    title: dict[str, str]
    description: dict[str, str] | None
    project: str
    responsible: dict[str, str]
    path: str

    @property
    def due_on(self) -> date:
        """The last day that is not too late, where the deadline was declared."""
        last_moment = self.due_at - timedelta(microseconds=1)
        return last_moment.astimezone(ZoneInfo(self.time_zone)).date()


def milestone_entry(
    milestone: Milestone, project: Project, accountable: dict[str, str] | None
) -> CalendarEntry:
    """Enter a milestone. It is tentative while its project has not begun or rests."""
    status: CalendarEntryStatus = "confirmed"
    if milestone.status == "cancelled" or project.status == "cancelled":
        status = "cancelled"
    elif milestone.status != "completed" and project.status != "active":
        status = "tentative"
    return CalendarEntry(
        kind="milestone",
        id=milestone.id,
        version=milestone.version,
        changed_at=max(milestone.updated_at, project.updated_at),
        due_at=milestone.due_at,
        time_zone=milestone.time_zone,
        status=status,
        title=milestone.title,
        description=milestone.description,
        project=project.reference,
        responsible=accountable or {"en": milestone.accountable},
        path=f"/api/v1/milestones/{milestone.id}",
    )


def decision_entry(
    decision: Decision, project: Project, proposer: dict[str, str] | None
) -> CalendarEntry:
    """Enter when a decision closes. It stands until it is closed, or cancelled if withdrawn."""
    return CalendarEntry(
        kind="decision",
        id=decision.id,
        version=decision.version,
        changed_at=max(decision.updated_at, project.updated_at),
        due_at=decision.closes_at,
        time_zone=decision.time_zone,
        status="cancelled" if decision.status == "withdrawn" else "confirmed",
        title=decision.title,
        description=decision.text,
        project=project.reference,
        responsible=proposer or {"en": decision.proposer},
        path=f"/api/v1/decisions/{decision.id}",
    )


def participation_entry(
    participation: Participation, project: Project, member: dict[str, str] | None
) -> CalendarEntry:
    """Enter until when an invitation can be answered. It is tentative while its project rests.

    Raises:
        ValueError: it is none that waits for an answer until a certain day.
    """
    due_at, time_zone = participation.answer_by_at, participation.time_zone
    if participation.status != "invited" or due_at is None or time_zone is None:
        raise ValueError(f"Participation {participation.id} waits for no answer.")
    return CalendarEntry(
        kind="participation",
        id=participation.id,
        version=participation.version,
        changed_at=max(participation.updated_at, project.updated_at),
        due_at=due_at,
        time_zone=time_zone,
        status="confirmed" if project.status in UNDER_WAY else "tentative",
        title=project.title,
        description=project.summary,
        project=project.reference,
        responsible=member or {"en": participation.member},
        path=f"/api/v1/participations/{participation.id}",
    )
