"""The schedule of a project over HTTP: what is possible when, and what everything hangs on."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from services.projects.model.project import ProjectNotFound
from services.projects.queries.milestones import plan_seen
from shared.actor import MissingScope
from shared.contracts.projects import DependencyState, MilestoneStatus
from shared.fields import Output
from shared.http.identity import CurrentActor
from shared.http.problems import refusals
from shared.http.transaction import CurrentReading, Route

router = APIRouter(prefix="/api/v1", tags=["milestones"], route_class=Route)


class ScheduledOut(Output):
    """When a milestone can be done and must be done. All days are days in `time_zone`."""

    milestone_id: UUID
    status: MilestoneStatus
    accountable: str
    due_on: date
    time_zone: str
    depends_on: list[DependencyState]
    forecast_on: date | None
    completed_on: date | None
    earliest_on: Annotated[date, Field(description="When it can be done at the earliest.")]
    latest_on: Annotated[date, Field(description="Done later, it moves the end of the project.")]
    slack_days: Annotated[int, Field(description="Between the two.")]
    is_critical: Annotated[bool, Field(description="It is open and has no slack.")]
    is_late: Annotated[bool, Field(description="It cannot be done by its deadline.")]


class ScheduleOut(Output):
    """The milestones of a project that are not cancelled, each after what it waits for."""

    items: list[ScheduledOut]


@router.get("/projects/{project_id}/schedule", responses=refusals(MissingScope, ProjectNotFound))
async def get_project_schedule(
    project_id: UUID, reading: CurrentReading, actor: CurrentActor
) -> ScheduleOut:
    """Work out earliest and latest days, and the critical path, from deadlines and dependencies."""
    plan = await plan_seen(reading, project_id, actor=actor)
    items = [
        ScheduledOut(
            milestone_id=step.id,
            status=step.status,
            accountable=step.accountable,
            due_on=step.due_on,
            time_zone=step.time_zone,
            depends_on=[DependencyState.model_validate(one) for one in step.depends_on],
            forecast_on=step.forecast_on,
            completed_on=step.completed_on,
            earliest_on=outlook.earliest_on,
            latest_on=outlook.latest_on,
            slack_days=outlook.slack_days,
            is_critical=outlook.is_critical,
            is_late=outlook.is_late,
        )
        for step, outlook in plan.outlook()
    ]
    return ScheduleOut(items=items)
