"""What waits for a member, of every kind, in one list: the nearest deadline first.

A source is a SELECT with the columns of `source`; all that a new kind needs is one more of them in
`SOURCES`. Nothing waits where the member could do nothing about it: in a draft, in a project that
rests, in one that is over.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped

from services.projects.model.base import Base
from services.projects.model.contribution import Contribution
from services.projects.model.decision import Decision
from services.projects.model.handover import Handover
from services.projects.model.known import KnownMember
from services.projects.model.milestone import Milestone
from services.projects.model.obligation import City, ensure_own
from services.projects.model.participation import Participation
from services.projects.model.plan import OPEN
from services.projects.model.project import UNDER_WAY, Project
from services.projects.queries.asked import is_silent
from services.projects.queries.standings import (
    HOME,
    INSTANT,
    ME,
    ensure_may_read,
    parameters,
    reading_from,
)
from shared.actor import Actor
from shared.http.paging import Listing, Paging
from shared.reading import Reading

ObligationKind = Literal[
    "invitation",
    "contribution_due",
    "contribution_returned",
    "contribution_to_accept",
    "milestone",
    "decision",
    "lead_offered",
]

NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""Where there is no deadline, in the order of deadlines."""


class Deadline(NamedTuple):
    """The columns of a deadline."""

    due_on: Any
    time_zone: Any
    due_at: Any


OF_MILESTONE: Final = Deadline(Milestone.due_on, Milestone.time_zone, Milestone.due_at)
NONE: Final = null()
NO_DEADLINE: Final = Deadline(NONE, NONE, NONE)


def source(
    kind: ObligationKind | ColumnElement[str],
    subject: type[Base],
    *,
    since: ColumnElement[Any] | InstrumentedAttribute[Any],
    title: Any = NONE,
    milestone_id: Any = NONE,
    deadline: Deadline = NO_DEADLINE,
) -> Select[Any]:
    """The columns that every source has.

    Args:
        kind: of obligation.
        subject: the entity that waits.
        since: when it began to wait.
        title: of the subject, or of the milestone that it belongs to.
        milestone_id: of the milestone that it belongs to.
        deadline: of the subject, or of what it belongs to.
    """
    return select(
        (literal(kind, Text()) if isinstance(kind, str) else kind).label("kind"),
        literal(subject.__tablename__, Text()).label("subject_kind"),
        subject.__table__.c.id.label("subject_id"),
        cast(title, JSONB).label("title"),
        cast(milestone_id, Uuid()).label("milestone_id"),
        Project.id.label("project_id"),
        Project.reference.label("project_reference"),
        Project.title.label("project_title"),
        since.label("since"),
        cast(deadline.due_on, Date()).label("due_on"),
        cast(deadline.time_zone, Text()).label("time_zone"),
        cast(deadline.due_at, INSTANT).label("due_at"),
    )


WORKS_HERE: Final = or_(
    Project.lead == ME,
    exists()
    .where(
        Participation.project_id == Project.id,
        Participation.member == ME,
        Participation.role == "participant",
        Participation.status == "accepted",
    )
    .correlate(Project),
)
"""Matches the projects in which the member works."""

AT_WORK: Final = and_(
    Project.status == "active", Milestone.status.in_(map(literal, sorted(OPEN))), WORKS_HERE
)
"""Matches the open milestones of active projects in which the member works."""


def invitations() -> Select[Any]:
    return (
        source(
            "invitation",
            Participation,
            since=Participation.invited_at,
            deadline=Deadline(
                Participation.answer_by_on, Participation.time_zone, Participation.answer_by_at
            ),
        )
        .join_from(Participation, Project, Project.id == Participation.project_id)
        .where(
            Participation.member == ME,
            Participation.status == "invited",
            Project.status.in_(map(literal, sorted(UNDER_WAY))),
        )
    )


def contributions_due() -> Select[Any]:
    was_returned = Contribution.status == "returned"
    return (
        source(
            case(
                (was_returned, literal("contribution_returned")), else_=literal("contribution_due")
            ),
            Contribution,
            title=Milestone.title,
            milestone_id=Milestone.id,
            since=case(
                (was_returned, Contribution.decided_at),
                else_=func.coalesce(
                    # Its id tells when it was asked for. Source: RFC 9562, section 5.7.
                    func.uuid_extract_timestamp(Contribution.id),
                    Milestone.created_at,
                ),
            ),
            deadline=OF_MILESTONE,
        )
        .join_from(Contribution, Milestone, Milestone.id == Contribution.milestone_id)
        .join(Project, Project.id == Milestone.project_id)
        .where(
            Contribution.member == ME,
            Contribution.status.in_(map(literal, ("pending", "returned"))),
            AT_WORK,
        )
    )


def contributions_to_accept() -> Select[Any]:
    return (
        source(
            "contribution_to_accept",
            Contribution,
            title=Milestone.title,
            milestone_id=Milestone.id,
            since=Contribution.delivered_at,
            deadline=OF_MILESTONE,
        )
        .join_from(Contribution, Milestone, Milestone.id == Contribution.milestone_id)
        .join(Project, Project.id == Milestone.project_id)
        .where(Milestone.accountable == ME, Contribution.status == "delivered", AT_WORK)
    )


def milestones() -> Select[Any]:
    return (
        source(
            "milestone",
            Milestone,
            title=Milestone.title,
            milestone_id=Milestone.id,
            since=Milestone.created_at,
            deadline=OF_MILESTONE,
        )
        .join_from(Milestone, Project, Project.id == Milestone.project_id)
        .where(Milestone.accountable == ME, AT_WORK)
    )


def decisions() -> Select[Any]:
    return (
        source(
            "decision",
            Decision,
            title=Decision.title,
            since=Decision.opened_at,
            deadline=Deadline(Decision.closes_on, Decision.time_zone, Decision.closes_at),
        )
        .join_from(Decision, Project, Project.id == Decision.project_id)
        .where(Decision.status == "open", Decision.closes_at > func.now(), is_silent(ME))
    )


def lead_offers() -> Select[Any]:
    return (
        source("lead_offered", Handover, since=Handover.offered_at)
        .join_from(Handover, Project, Project.id == Handover.project_id)
        .where(Handover.candidate == ME, Handover.status == "offered")
    )


SOURCES: Final = (
    invitations,
    contributions_due,
    contributions_to_accept,
    milestones,
    decisions,
    lead_offers,
)
"""A further kind joins with one line here."""

_WAITING: Final = union_all(*(each() for each in SOURCES)).subquery("waiting")


class Views(DeclarativeBase):
    """Root of what is read off several tables and is none itself."""


class Obligation(Views):
    """Something that waits for the member, with the deadline of what it belongs to, if any."""

    __table__ = select(
        _WAITING, func.coalesce(_WAITING.c.due_at, literal(NEVER, INSTANT)).label("sorted_at")
    ).subquery("obligation")
    __mapper_args__ = {"primary_key": [__table__.c.kind, __table__.c.subject_id]}  # noqa: RUF012

    kind: Mapped[ObligationKind]
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    title: Mapped[dict[str, str] | None]
    milestone_id: Mapped[UUID | None]
    project_id: Mapped[UUID]
    project_reference: Mapped[str]
    project_title: Mapped[dict[str, str]]
    since: Mapped[datetime]
    due_on: Mapped[date | None]
    time_zone: Mapped[str | None]
    due_at: Mapped[datetime | None]
    sorted_at: Mapped[datetime]


_MY_CITY: Final = (
    select(
        func.jsonb_build_array(KnownMember.time_zone, KnownMember.country, KnownMember.subdivision)
    )
    .where(KnownMember.slug == ME)
    .scalar_subquery()
)

_LISTED: Final = Listing(
    select(Obligation, HOME, _MY_CITY),
    filters={"kind": Obligation.kind == bindparam("kind", type_=Text())},
    sorts={"due": (Obligation.sorted_at, Obligation.kind, Obligation.subject_id)},
)


async def list_obligations(
    reading: Reading,
    paging: Paging,
    *,
    actor: Actor,
    member: str,
    kind: ObligationKind | None = None,
) -> tuple[Sequence[tuple[Obligation, City]], str | None]:
    """List what waits for the actor's own member, in one statement.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        NotYourObligations: `member` is another one.
        CursorUnknown: the cursor was not made by this list.
    """
    if member != actor.member:
        await ensure_may_read(reading, actor=actor)
        ensure_own(member, of=actor.member)
    rows, cursor = await _LISTED.read(
        reading, paging, sort="due", filters={"kind": kind}, parameters=parameters(actor)
    )
    if not rows:
        await ensure_may_read(reading, actor=actor)
    found = []
    for obligation, home, city in rows:
        reading_from(actor, home, None)
        # Of whom nothing is known yet, nothing but UTC is.
        found.append((obligation, City(*(city or ("UTC", "", None)))))
    return found, cursor
