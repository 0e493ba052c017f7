"""Use case: members that leave the network lose their places."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.participations import open_participations_of
from services.projects.use_cases.end_places import end_places
from shared.contracts.projects import ParticipationWithdrawn


async def end_places_of_members(
    session: AsyncSession, time_zones: Mapping[str, str], *, now: datetime
) -> None:
    """End every place, answered or not, that members have in projects that go on.

    What they lead stays theirs: only who takes it over can change that.

    Args:
        session: of the delivery, which has noted before that the members left.
        time_zones: of the members.
        now: when.

    Source: docs/decisions/0026-places-end-on-their-day.md
    """
    places = await open_participations_of(session, time_zones)
    await end_places(
        session,
        places,
        end=lambda place: place.leave_network(time_zones[place.member], at=now),
        kind=ParticipationWithdrawn,
        at=now,
    )
