"""Use case: the lead moves a deadline that touches nobody else."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.milestones import MilestoneSeen, milestone_for_change
from shared.actor import Actor
from shared.contracts.projects import MilestoneRescheduled
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def reschedule_milestone(
    session: AsyncSession,
    milestone_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    due_on: date,
    time_zone: str,
    seen: MilestoneSeen | None = None,
) -> MilestoneSeen:
    """Let a milestone be due at the end of another day.

    `seen` is the milestone as it was loaded for change in this transaction, if it was.

    Raises:
        MilestoneNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the milestone is not at the expected version.
        ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
        OthersAreAffected: another member is accountable or contributes.
    """
    milestone, standing = seen or await milestone_for_change(session, milestone_id, actor=actor)
    milestone.project.ensure_led_by(standing)
    before = milestone.state()
    ensure_version(expected, before)
    milestone.reschedule(due_on, time_zone, by=standing, at=now)
    announce(
        session,
        MilestoneRescheduled.about(
            milestone.state(),
            before=before,
            by=actor,
            at=now,
            audience=milestone.project.audience(standing.places),
        ),
    )
    return milestone, standing
