"""Use case: the lead plans a milestone."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.milestone import Milestone
from services.projects.queries.milestones import MilestoneSeen
from services.projects.queries.projects import ProjectSeen, project_for_change
from shared.actor import Actor
from shared.contracts.projects import MilestonePlanned
from shared.messaging.outbox import announce


async def plan_milestone(
    session: AsyncSession,
    project_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    title: dict[str, str],
    description: dict[str, str] | None,
    due_on: date,
    time_zone: str,
    accountable: str,
    seen: ProjectSeen | None = None,
) -> MilestoneSeen:
    """Owe a result by the end of `due_on` in `time_zone`.

    `seen` is the project as it was loaded for change in this transaction, if it was.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        ProjectEnded, ProjectNotUnderWay: the project is not open for planning.
        TooManyMilestones: it has as many as it can have.
        MemberNotParticipating: `accountable` neither leads, takes part nor is invited to.
    """
    project, standing, progress = seen or await project_for_change(session, project_id, actor=actor)
    milestone = Milestone.plan(
        project,
        title=title,
        description=description,
        due_on=due_on,
        time_zone=time_zone,
        accountable=accountable,
        others=progress.milestones,
        by=standing,
        at=now,
    )
    session.add(milestone)
    announce(
        session,
        MilestonePlanned.about(
            milestone.state(), by=actor, at=now, audience=project.audience(standing.places)
        ),
    )
    return milestone, standing
