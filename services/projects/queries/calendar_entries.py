"""Every SELECT of what stands in calendars."""

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, and_, bindparam, exists, literal, or_, select

from services.projects.model.calendar_entry import (
    AHEAD,
    ENTRIES_MAX,
    KEPT,
    CalendarEntry,
    decision_entry,
    milestone_entry,
    participation_entry,
)
from services.projects.model.calendar_feed import CalendarFeed
from services.projects.model.contribution import Contribution
from services.projects.model.decision import Decision
from services.projects.model.known import KnownMember
from services.projects.model.milestone import Milestone
from services.projects.model.participation import Participation
from services.projects.model.project import ENDED, Project
from services.projects.queries.asked import asks
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
_UNTIL: Final = bindparam("until", type_=INSTANT)
_LIMIT: Final = bindparam("limit", type_=BigInteger())

_MILESTONES: Final = (
    select(Milestone, Project, KnownMember.name)
    .join(Milestone.project)
    .outerjoin(KnownMember, KnownMember.slug == Milestone.accountable)
    .where(
        VISIBLE,
        Milestone.due_at >= _SINCE,
        Milestone.due_at < _UNTIL,
        or_(Milestone.status != "cancelled", Milestone.updated_at >= _SINCE),
    )
    .order_by(Milestone.due_at, Milestone.id)
    .limit(_LIMIT)
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

_DECISIONS: Final = (
    select(Decision, Project, KnownMember.name)
    .join(Decision.project)
    .outerjoin(KnownMember, KnownMember.slug == Decision.proposer)
    .where(
        VISIBLE,
        Decision.closes_at >= _SINCE,
        Decision.closes_at < _UNTIL,
        # Until when one could have answered what was closed need not be known any more.
        or_(
            Decision.status == "open",
            and_(Decision.status == "withdrawn", Decision.updated_at >= _SINCE),
        ),
    )
    .order_by(Decision.closes_at, Decision.id)
    .limit(_LIMIT)
)
_DECISIONS_ASKING_ME: Final = Question(_DECISIONS.where(asks(ME)))
_DECISIONS_OF: Final[dict[CalendarFeedKind, Question]] = {
    "official": _DECISIONS_ASKING_ME,
    "member": _DECISIONS_ASKING_ME,
    "project": Question(_DECISIONS.where(Decision.project_id == PROJECT_ID)),
}

_INVITATIONS: Final = (
    select(Participation, Project, KnownMember.name)
    .join(Participation.project)
    .outerjoin(KnownMember, KnownMember.slug == Participation.member)
    .where(
        VISIBLE,
        Participation.status == "invited",
        Participation.answer_by_at >= _SINCE,
        Participation.answer_by_at < _UNTIL,
        Project.status.not_in(map(literal, sorted(ENDED))),
    )
    .order_by(Participation.answer_by_at, Participation.id)
    .limit(_LIMIT)
)
_INVITATIONS_TO_ME: Final = Question(_INVITATIONS.where(Participation.member == ME))
_INVITATIONS_OF: Final[dict[CalendarFeedKind, Question]] = {
    "official": _INVITATIONS_TO_ME,
    "member": _INVITATIONS_TO_ME,
    "project": Question(_INVITATIONS.where(Participation.project_id == PROJECT_ID)),
}


async def calendar_entries(
    reading: Reading, feed: CalendarFeed, *, now: datetime
) -> list[CalendarEntry]:
    """Collect what is due, of every kind, in the order in which it is due."""
    asked = parameters(
        feed.maker,
        project_id=feed.project_id,
        since=now - KEPT,
        until=now + AHEAD,
        limit=ENTRIES_MAX,
    )
    found = [
        *(milestone_entry(*row) for row in await reading.rows(_MILESTONES_OF[feed.kind], asked)),
        *(decision_entry(*row) for row in await reading.rows(_DECISIONS_OF[feed.kind], asked)),
        *(
            participation_entry(*row)
            for row in await reading.rows(_INVITATIONS_OF[feed.kind], asked)
        ),
    ]
    found.sort(key=lambda entry: (entry.due_at, entry.kind, entry.id))
    return found[:ENTRIES_MAX]
