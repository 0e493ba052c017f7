"""Every SELECT of what stands in calendars."""

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, bindparam, exists, or_, select

from services.projects.model.calendar_entry import (
    AHEAD,
    ENTRIES_MAX,
    KEPT,
    CalendarEntry,
    milestone_entry,
)
from services.projects.model.calendar_feed import CalendarFeed
from services.projects.model.contribution import Contribution
from services.projects.model.known import KnownMember
from services.projects.model.milestone import Milestone
from services.projects.model.project import Project
from services.projects.queries.standings import (
    INSTANT,
    ME,
    PROJECT_ID,
    VISIBLE,
    has_place,
    parameters,
)
from shared.contracts.projects import CalendarFeedKind
from shared.reading import Question, Reading

_SINCE: Final = bindparam("since", type_=INSTANT)
_MILESTONES: Final = (
    select(Milestone, Project, KnownMember.name)
    .join(Milestone.project)
    .outerjoin(KnownMember, KnownMember.slug == Milestone.accountable)
    .where(
        VISIBLE,
        Milestone.due_at >= _SINCE,
        Milestone.due_at < bindparam("until", type_=INSTANT),
        or_(Milestone.status != "cancelled", Milestone.updated_at >= _SINCE),
    )
    .order_by(Milestone.due_at, Milestone.id)
    .limit(bindparam("limit", type_=BigInteger()))
)
_OWES: Final = or_(
    Milestone.accountable == ME,
    exists()
    .where(Contribution.milestone_id == Milestone.id, Contribution.member == ME)
    .correlate(Milestone),
)
_MILESTONES_OF: Final[dict[CalendarFeedKind, Question]] = {
    "official": Question(_MILESTONES.where(_OWES)),
    "member": Question(_MILESTONES.where(or_(Project.lead == ME, has_place(ME)))),
    "project": Question(_MILESTONES.where(Milestone.project_id == PROJECT_ID)),
}


async def calendar_entries(
    reading: Reading, feed: CalendarFeed, *, now: datetime
) -> list[CalendarEntry]:
    """Collect what is due, of every kind."""
    asked = parameters(
        feed.maker,
        project_id=feed.project_id,
        since=now - KEPT,
        until=now + AHEAD,
        limit=ENTRIES_MAX,
    )
    milestones = await reading.rows(_MILESTONES_OF[feed.kind], asked)
    return [milestone_entry(*row) for row in milestones]
