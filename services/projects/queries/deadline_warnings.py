"""Who is closed when a milestone is due, or a decision closes, by what is known of the members."""

from collections.abc import Collection
from datetime import date
from typing import Final

from sqlalchemy import ARRAY, Text, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.deadline_warnings import ClosedDayWarning, closed_day_warnings
from services.projects.model.known import KnownMember
from services.projects.model.milestone import Milestone
from services.projects.model.plan import OPEN
from shared.reading import Question, Reading

_NAMED: Final = Question(
    select(KnownMember)
    .where(KnownMember.slug == any_(bindparam("slugs", type_=ARRAY(Text()))))
    .order_by(KnownMember.slug)
)


async def deadline_warnings(
    source: Reading | AsyncSession,
    milestone: Milestone,
    *,
    due_on: date | None = None,
    time_zone: str | None = None,
) -> list[ClosedDayWarning]:
    """Tell who of those that owe something by a deadline is closed on its day, in one statement.

    Nobody owes anything any more by that of a milestone that has ended, or has what it owed
    accepted.

    Args:
        source: where to ask.
        milestone: with its contributions.
        due_on: the day of a deadline that is only wanted, instead of its own.
        time_zone: of the clock by which that day ends.
    """
    if milestone.status not in OPEN:
        return []
    owing = {
        milestone.accountable,
        *(owed.member for owed in milestone.contributions if owed.status != "accepted"),
    }
    return await closed_among(
        source, owing, due_on or milestone.due_on, time_zone or milestone.time_zone
    )


async def closed_among(
    source: Reading | AsyncSession, members: Collection[str], due_on: date, time_zone: str
) -> list[ClosedDayWarning]:
    """Tell which members are closed on the day of a deadline, in one statement."""
    asked = {"slugs": sorted(members)}
    if isinstance(source, Reading):
        rows = await source.rows(_NAMED, asked)
    else:
        rows = await _NAMED.asked_in(source, asked)
    return closed_day_warnings(due_on, time_zone, [member for (member,) in rows])
