"""Use case: the accountable member declares a milestone done."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.milestones import MilestoneSeen, milestone_for_change
from shared.actor import Actor
from shared.contracts.projects import MilestoneCompleted
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def complete_milestone(
    session: AsyncSession,
    milestone_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
) -> MilestoneSeen:
    """Complete a milestone. Final.

    Raises:
        MilestoneNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotAccountable, NotParticipating: the actor may not.
        VersionStale: the milestone is not at the expected version.
        ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
        MilestoneNotStarted: nobody has begun.
        ContributionsOpen: a contribution has not been accepted.
        PredecessorsOpen: it waits for another milestone.
    """
    milestone, standing = await milestone_for_change(session, milestone_id, actor=actor)
    milestone.ensure_accountable(standing)
    before = milestone.state()
    ensure_version(expected, before)
    milestone.complete(by=standing, at=now)
    announce(
        session,
        MilestoneCompleted.about(
            milestone.state(),
            before=before,
            by=actor,
            at=now,
            audience=milestone.project.audience(standing.places),
        ),
    )
    return milestone, standing
