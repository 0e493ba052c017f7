"""Use case: the accountable member begins."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.milestones import MilestoneSeen, milestone_for_change
from shared.actor import Actor
from shared.contracts.projects import MilestoneStarted
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def start_milestone(
    session: AsyncSession,
    milestone_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
) -> MilestoneSeen:
    """Begin with a milestone.

    Raises:
        MilestoneNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotAccountable, NotParticipating: the actor may not.
        VersionStale: the milestone is not at the expected version.
        ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
        MilestoneStartedBefore: it is in progress.
    """
    milestone, standing = await milestone_for_change(session, milestone_id, actor=actor)
    milestone.ensure_accountable(standing)
    before = milestone.state()
    ensure_version(expected, before)
    milestone.start(by=standing, at=now)
    announce(
        session,
        MilestoneStarted.about(
            milestone.state(),
            before=before,
            by=actor,
            at=now,
            audience=milestone.project.audience(standing.places),
        ),
    )
    return milestone, standing
