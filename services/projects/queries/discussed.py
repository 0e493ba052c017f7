"""What can be discussed: one way to find it, and one to tell that it is seen, for each kind."""

from collections.abc import Awaitable
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.comment import Discussed
from services.projects.model.standing import Standing
from services.projects.queries.decisions import decision_for_change, decision_seen
from services.projects.queries.milestones import milestone_for_change, milestone_seen
from services.projects.queries.projects import ensure_project_seen, project_for_change
from shared.actor import Actor
from shared.contracts.projects import CommentSubjectKind
from shared.reading import Reading


class Finding(Protocol):
    """Loads what is discussed, locked with its project, or refuses as if there was none."""

    def __call__(
        self, session: AsyncSession, subject_id: UUID, /, *, actor: Actor
    ) -> Awaitable[tuple[Discussed, Standing]]: ...


class Seeing(Protocol):
    """Refuses, as if there was none, what the actor may not see."""

    def __call__(
        self, reading: Reading, subject_id: UUID, /, *, actor: Actor
    ) -> Awaitable[None]: ...


async def project_discussed(
    session: AsyncSession, subject_id: UUID, *, actor: Actor
) -> tuple[Discussed, Standing]:
    project, standing, _ = await project_for_change(session, subject_id, actor=actor)
    return Discussed("project", project.id, project.title, project), standing


async def milestone_discussed(
    session: AsyncSession, subject_id: UUID, *, actor: Actor
) -> tuple[Discussed, Standing]:
    milestone, standing = await milestone_for_change(session, subject_id, actor=actor)
    return Discussed("milestone", milestone.id, milestone.title, milestone.project), standing


async def ensure_milestone_seen(reading: Reading, subject_id: UUID, *, actor: Actor) -> None:
    await milestone_seen(reading, subject_id, actor=actor)


async def decision_discussed(
    session: AsyncSession, subject_id: UUID, *, actor: Actor
) -> tuple[Discussed, Standing]:
    decision, standing = await decision_for_change(session, subject_id, actor=actor)
    return Discussed("decision", decision.id, decision.title, decision.project), standing


async def ensure_decision_seen(reading: Reading, subject_id: UUID, *, actor: Actor) -> None:
    await decision_seen(reading, subject_id, actor=actor)


# A further kind of subject joins with one line in each of these two.
FOUND_BY: Final[dict[CommentSubjectKind, Finding]] = {
    "project": project_discussed,
    "milestone": milestone_discussed,
    "decision": decision_discussed,
}
SEEN_BY: Final[dict[CommentSubjectKind, Seeing]] = {
    "project": ensure_project_seen,
    "milestone": ensure_milestone_seen,
    "decision": ensure_decision_seen,
}


async def discussed_for_change(
    session: AsyncSession, kind: CommentSubjectKind, subject_id: UUID, *, actor: Actor
) -> tuple[Discussed, Standing]:
    """Load what a comment shall be about; it and its project stay locked.

    Raises:
        ProjectNotFound, MilestoneNotFound, DecisionNotFound: for the actor there is none.
    """
    return await FOUND_BY[kind](session, subject_id, actor=actor)


async def ensure_discussed_seen(
    reading: Reading, kind: CommentSubjectKind, subject_id: UUID, *, actor: Actor
) -> None:
    """Tell an empty discussion from one that the actor may not see.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound, MilestoneNotFound, DecisionNotFound: for the actor there is none.
    """
    await SEEN_BY[kind](reading, subject_id, actor=actor)
