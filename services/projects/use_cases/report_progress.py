"""Use case: the accountable member says how far a milestone is."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.milestones import MilestoneSeen, milestone_for_change
from shared.actor import Actor
from shared.contracts.projects import MilestoneProgressReported
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def report_progress(
    session: AsyncSession,
    milestone_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    progress_percent: int,
    forecast_on: date | None,
    seen: MilestoneSeen | None = None,
) -> MilestoneSeen:
    """Say how far a milestone is, and on which day it is expected to be done, if that is known.

    `seen` is the milestone as it was loaded for change in this transaction, if it was.

    Raises:
        MilestoneNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotAccountable, NotParticipating: the actor may not.
        VersionStale: the milestone is not at the expected version.
        ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
    """
    milestone, standing = seen or await milestone_for_change(session, milestone_id, actor=actor)
    milestone.ensure_accountable(standing)
    before = milestone.state()
    ensure_version(expected, before)
    milestone.report_progress(progress_percent, forecast_on, by=standing, at=now)
    announce(
        session,
        MilestoneProgressReported.about(
            milestone.state(),
            before=before,
            by=actor,
            at=now,
            audience=milestone.project.audience(standing.places),
        ),
    )
    return milestone, standing
