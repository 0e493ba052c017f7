"""Use case: the lead words a milestone differently."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.milestone import MilestoneChanges
from services.projects.queries.milestones import MilestoneSeen, milestone_for_change
from shared.actor import Actor
from shared.contracts.projects import MilestoneChanged
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def change_milestone(
    session: AsyncSession,
    milestone_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    changes: MilestoneChanges,
    seen: MilestoneSeen | None = None,
) -> MilestoneSeen:
    """Replace the given fields of a milestone.

    `seen` is the milestone as it was loaded for change in this transaction, if it was.

    Raises:
        MilestoneNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the milestone is not at the expected version.
        ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
    """
    milestone, standing = seen or await milestone_for_change(session, milestone_id, actor=actor)
    milestone.project.ensure_led_by(standing)
    before = milestone.state()
    ensure_version(expected, before)
    milestone.change(changes, by=standing, at=now)
    announce(
        session,
        MilestoneChanged.about(
            milestone.state(),
            before=before,
            by=actor,
            at=now,
            audience=milestone.project.audience(standing.places),
        ),
    )
    return milestone, standing
