"""What all use cases share in which nobody asks for the end of a place: it comes about."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.participation import Participation
from services.projects.model.standing import Standing
from services.projects.queries.participations import ParticipationSeen
from services.projects.use_cases.count_out import count_out
from shared.actor import Actor
from shared.contracts.projects import ParticipationEvent
from shared.messaging.outbox import announce


async def end_places(
    session: AsyncSession,
    places: Sequence[ParticipationSeen],
    *,
    end: Callable[[Participation], None],
    kind: type[ParticipationEvent],
    at: datetime,
) -> None:
    """End places by `end`, and announce each: to its member for the last time.

    Whoever took part is asked no longer, wherever it was asked.

    Who has lost its place in a project is not told of the next one that is lost there.
    """
    standings: dict[UUID, Standing] = {}
    for participation, at_first in places:
        project = participation.project
        standing = standings.get(project.id, at_first)
        before = participation.state()
        end(participation)
        announce(
            session,
            kind.about(
                participation.state(),
                before=before,
                by=Actor.CLOCK,
                at=at,
                audience=project.audience(standing.places),
            ),
        )
        standing = standing.with_place(participation.member, participation.place)
        if before.status == "accepted":
            standing = await count_out(
                session, project, participation.member, standing=standing, actor=Actor.CLOCK, now=at
            )
        standings[project.id] = standing
