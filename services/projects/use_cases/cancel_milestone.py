"""Use case: the lead gives up a result that touches nobody else."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.milestones import MilestoneSeen, milestone_for_change, plan_of
from shared.actor import Actor
from shared.contracts.projects import MilestoneCancelled
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def cancel_milestone(
    session: AsyncSession,
    milestone_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    reason: str,
) -> MilestoneSeen:
    """Owe a result no longer. Final.

    Raises:
        MilestoneNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the milestone is not at the expected version.
        ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
        OthersAreAffected: another member is accountable or contributes, here or behind it.
    """
    milestone, standing = await milestone_for_change(session, milestone_id, actor=actor)
    milestone.project.ensure_led_by(standing)
    before = milestone.state()
    ensure_version(expected, before)
    plan = await plan_of(session, milestone.project_id)
    milestone.cancel(reason, waiting=plan.following(milestone.id), by=standing, at=now)
    announce(
        session,
        MilestoneCancelled.about(
            milestone.state(),
            before=before,
            by=actor,
            at=now,
            audience=milestone.project.audience(standing.places),
        ),
    )
    return milestone, standing
