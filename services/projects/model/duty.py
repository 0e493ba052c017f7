"""What a member still owes to a project: what it leaves behind if it withdraws."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from services.projects.model.decision import Decision
from services.projects.model.milestone import Milestone
from services.projects.model.plan import OPEN
from services.projects.model.project import ENDED, Project
from shared.contracts.projects import ContributionStatus, MilestoneStatus


@dataclass(frozen=True, slots=True)
class MilestoneDuty:
    """A milestone that the member is accountable for, and that is not done."""

    id: UUID
    title: dict[str, str]
    due_on: date
    time_zone: str
    due_at: datetime
    status: MilestoneStatus
    kind: Literal["complete_milestone"] = "complete_milestone"


@dataclass(frozen=True, slots=True)
class ContributionDuty:
    """A contribution that the member has to deliver, for the first time or again."""

    id: UUID
    milestone_id: UUID
    title: dict[str, str]
    description: str
    due_on: date
    time_zone: str
    due_at: datetime
    status: ContributionStatus
    kind: Literal["deliver_contribution"] = "deliver_contribution"


@dataclass(frozen=True, slots=True)
class AcceptanceDuty:
    """A delivered contribution that the member has to accept or to return."""

    id: UUID
    milestone_id: UUID
    title: dict[str, str]
    description: str
    from_member: str
    due_on: date
    time_zone: str
    due_at: datetime
    kind: Literal["accept_contribution"] = "accept_contribution"


@dataclass(frozen=True, slots=True)
class PositionDuty:
    """A question that the member has not answered; `due_on` is the day at whose end it closes."""

    id: UUID
    title: dict[str, str]
    due_on: date
    time_zone: str
    due_at: datetime
    kind: Literal["take_position"] = "take_position"


Duty = MilestoneDuty | ContributionDuty | AcceptanceDuty | PositionDuty


def open_duties(
    member: str,
    project: Project,
    milestones: Iterable[Milestone],
    unanswered: Iterable[Decision] = (),
) -> list[Duty]:
    """What `member` owes to a project now, the most urgent first; nothing once it is over."""
    if project.status in ENDED:
        return []
    found: list[Duty] = [
        PositionDuty(each.id, each.title, each.closes_on, each.time_zone, each.closes_at)
        for each in unanswered
    ]
    for milestone in milestones:
        if milestone.status in OPEN:
            found += _duties_of(member, milestone)
    return sorted(found, key=lambda duty: (duty.due_at, duty.kind, duty.id))


def _duties_of(member: str, milestone: Milestone) -> list[Duty]:
    found: list[Duty] = []
    due = (milestone.due_on, milestone.time_zone, milestone.due_at)
    is_accountable = milestone.accountable == member
    if is_accountable:
        found.append(MilestoneDuty(milestone.id, milestone.title, *due, milestone.status))
    for owed in milestone.contributions:
        named = (owed.id, milestone.id, milestone.title, owed.description)
        if owed.member == member and owed.status in {"pending", "returned"}:
            found.append(ContributionDuty(*named, *due, owed.status))
        elif is_accountable and owed.status == "delivered":
            found.append(AcceptanceDuty(*named, owed.member, *due))
    return found
