"""Who is closed when a milestone is due, by what is known of the members that it touches."""

from typing import Final

from sqlalchemy import ARRAY, Text, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.deadline_warnings import ClosedDayWarning, closed_day_warnings
from services.projects.model.known import KnownMember
from services.projects.model.milestone import Milestone
from services.projects.model.plan import OPEN
from shared.reading import Question, Reading

_AFFECTED: Final = Question(
    select(KnownMember)
    .where(KnownMember.slug == any_(bindparam("slugs", type_=ARRAY(Text()))))
    .order_by(KnownMember.slug)
)


async def deadline_warnings(
    source: Reading | AsyncSession, milestone: Milestone
) -> list[ClosedDayWarning]:
    """Tell who of those that owe something by a deadline is closed on its day, in one statement.

    Nobody owes anything any more by that of a milestone that has ended, or has what it owed
    accepted.
    """
    if milestone.status not in OPEN:
        return []
    slugs = {
        milestone.accountable,
        *(owed.member for owed in milestone.contributions if owed.status != "accepted"),
    }
    asked = {"slugs": sorted(slugs)}
    if isinstance(source, Reading):
        rows = await source.rows(_AFFECTED, asked)
    else:
        rows = await _AFFECTED.asked_in(source, asked)
    return closed_day_warnings(
        milestone.due_on, milestone.time_zone, [member for (member,) in rows]
    )
