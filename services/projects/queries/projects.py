"""Every SELECT of projects."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ScalarSelect,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from services.projects.model.milestone import Milestone
from services.projects.model.plan import OPEN
from services.projects.model.project import Progress, Project, no_project
from services.projects.model.searching import Term, understood
from services.projects.model.standing import Standing
from services.projects.queries.project_words import (
    IS_FOUND,
    MAY_BE_FOUND,
    is_found,
    names_of_members,
    values_of,
    values_to_narrow,
)
from services.projects.queries.sorting import Sort, sorts_of
from services.projects.queries.standings import (
    HOME,
    INSTANT,
    MEMBER,
    PLACES,
    PROJECT_ID,
    SEEN,
    SEEN_LIMIT,
    VISIBLE,
    ensure_may_read,
    has_place,
    parameters,
    places_in,
    reading_from,
    standing_from,
)
from services.projects.queries.waiting import waiting_for
from shared.actor import Actor
from shared.contracts.projects import ProjectStatus
from shared.http.paging import LIMIT, Coming, Keys, Listing, Paging
from shared.reading import Question, Reading, Row

ProjectSeen = tuple[Project, Standing, Progress]
"""A project with what the rules about it must know."""


def progress_of(project_id: BindParameter[UUID] | InstrumentedAttribute[UUID]) -> ScalarSelect[Any]:
    """How far the milestones of a project are, as a column."""
    return (
        select(
            func.jsonb_build_array(
                func.count().filter(Milestone.status.in_(map(literal, sorted(OPEN)))),
                func.count().filter(Milestone.status == "completed"),
                func.count(),
            )
        )
        .where(Milestone.project_id == project_id)
        .correlate(Project)
        .scalar_subquery()
    )


_SEEN: Final = select(Project, HOME, PLACES, progress_of(Project.id)).where(VISIBLE)
_ONE_SEEN: Final = Question(_SEEN.where(Project.id == PROJECT_ID))
_FOR_CHANGE: Final = (
    select(Project)
    .where(Project.id == PROJECT_ID)
    .with_for_update(key_share=True)
    # What was read before it was locked may have changed meanwhile.
    .execution_options(populate_existing=True)
)
_IS_SEEN: Final = Question(select(exists().where(Project.id == PROJECT_ID, VISIBLE), HOME))
_PROGRESS: Final = Question(select(progress_of(PROJECT_ID)))
_AROUND: Final = Question(select(HOME, places_in(PROJECT_ID), progress_of(PROJECT_ID)))


async def project_seen(reading: Reading, project_id: UUID, *, actor: Actor) -> ProjectSeen:
    """Load a project that the actor may see, in one statement.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound: for the actor there is none.
    """
    found = await reading.rows(_ONE_SEEN, parameters(actor, project_id=project_id))
    if not found:
        await ensure_may_read(reading, actor=actor)
        raise no_project(project_id)
    return _read(actor, *found[0])


async def project_for_change(
    session: AsyncSession, project_id: UUID, *, actor: Actor
) -> ProjectSeen:
    """Load a project that the actor may see, locked until the transaction ends.

    Every change below a project holds this lock, so that rules which span the whole project are
    asked about what is true.

    Raises:
        ProjectNotFound: for the actor there is none.
    """
    project = await session.scalar(_FOR_CHANGE, {"project_id": project_id})
    if project is None:
        raise no_project(project_id)
    [(home, places, progress)] = await _AROUND.asked_in(
        session, parameters(actor, project_id=project_id)
    )
    standing = standing_from(actor, home, places)
    if not project.is_seen_by(standing):
        raise no_project(project_id)
    return project, standing, Progress(*progress)


async def progress_in(session: AsyncSession, project_id: UUID) -> Progress:
    """Tell how far the milestones of a locked project are, with what was just changed."""
    await session.flush()
    [(progress,)] = await _PROGRESS.asked_in(session, {"project_id": project_id})
    return Progress(*progress)


async def ensure_project_seen(reading: Reading, project_id: UUID, *, actor: Actor) -> None:
    """Tell an empty list from a project that the actor may not see.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound: for the actor there is none.
    """
    [(is_seen, home)] = await reading.rows(_IS_SEEN, parameters(actor, project_id=project_id))
    reading_from(actor, home, None)
    if not is_seen:
        raise no_project(project_id)


FEW: Final = 500
"""Who sees no more projects than this is shown them by going through those."""

AHEAD: Final = 300
"""So many projects are looked at sooner than the index brings what is found in many."""

_SEES_FEW: Final = select(func.count()).select_from(SEEN).scalar_subquery() < SEEN_LIMIT


class ProjectListing(Listing):
    """Takes as long among a hundred thousand projects as among a thousand.

    Who sees few projects has them looked through. For who sees many, the list is followed until the
    page is full, which is soon; and where terms are looked for, only for a while: what is found
    often fills a page, and what is found seldom comes from the index, in a second question.
    """

    def found_by(
        self, given: frozenset[str], coming: Coming, keys: Keys, *, descending: bool
    ) -> Select[Any]:
        terms = given.intersection(IS_FOUND)
        asks_the_index = bool(given.intersection(MAY_BE_FOUND))
        followed = coming(given - terms).where(not_(_SEES_FEW)).correlate(None)
        if terms:
            next_ = followed.with_only_columns(Project.id, Project.lead, *keys[:-1])
            if not asks_the_index:
                next_ = next_.limit(bindparam("ahead", type_=BigInteger()))
            looked_at = aliased(Project, next_.subquery())
            order = [getattr(looked_at, key.key) for key in keys]
            followed = (
                select(looked_at.id)
                .where(*(is_found(name, looked_at) for name in sorted(terms)))
                .order_by(*(key.desc() if descending else key.asc() for key in order))
            )
        followed = followed.with_only_columns(followed.selected_columns["id"]).limit(LIMIT)
        ids = [followed.subquery().select()]
        if not asks_the_index:
            ids.append(select(SEEN.c.id).where(_SEES_FEW))
        found = Project.id == any_(func.array(union_all(*ids).scalar_subquery()))
        return coming(given - MAY_BE_FOUND.keys()).where(found)


_LISTED: Final = ProjectListing(
    _SEEN,
    filters={
        "status": Project.status == bindparam("status", type_=Text()),
        "member": or_(Project.lead == MEMBER, has_place(MEMBER)),
        "lead": Project.lead == bindparam("lead", type_=Text()),
        "objective": Project.objectives.contains(
            cast(array([bindparam("objective", type_=Text())]), ARRAY(Text()))
        ),
        "theme": Project.themes.contains(
            cast(array([bindparam("theme", type_=Text())]), ARRAY(Text()))
        ),
        "waits_for": waiting_for(bindparam("waits_for", type_=Text())),
        "updated_since": Project.updated_at >= bindparam("updated_since", type_=INSTANT),
        **IS_FOUND,
        **MAY_BE_FOUND,
    },
    sorts=sorts_of(Project),
)


async def list_projects(
    reading: Reading,
    paging: Paging,
    *,
    actor: Actor,
    sort: Sort = "created",
    status: ProjectStatus | None = None,
    member: str | None = None,
    lead: str | None = None,
    objective: str | None = None,
    theme: str | None = None,
    waits_for: str | None = None,
    updated_since: datetime | None = None,
    q: str | None = None,
) -> tuple[list[ProjectSeen], str | None]:
    """List projects that the actor may see. `member` leads them, takes part or is invited.

    Args:
        reading: where to read them.
        paging: which part of the list.
        actor: who asks.
        sort: in which order.
        status: only those that have it.
        member: only those in which it has a place.
        lead: only those that it leads.
        objective: only those that serve it.
        theme: only those that have it.
        waits_for: only those that cannot go on in something without this member.
        updated_since: only those that have changed since.
        q: only those in which this is found, in their texts or as names of lead and participants.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        SearchTooShort, SearchTooLong: this cannot be looked for.
        CursorUnknown: the cursor was not made by this list.
    """
    filters = {
        "status": status,
        "member": member,
        "lead": lead,
        "objective": objective,
        "theme": theme,
        "waits_for": waits_for,
        "updated_since": updated_since,
    }
    asked = parameters(actor, seen_limit=FEW + 1, ahead=AHEAD)
    if q is None:
        rows, cursor = await _LISTED.read(
            reading, paging, sort=sort, filters=filters, parameters=asked
        )
    else:
        terms = understood(q, await names_of_members(reading))
        rows, cursor = await _search(
            reading, paging, sort=sort, filters=filters, parameters=asked, terms=terms
        )
    if not rows:
        await ensure_may_read(reading, actor=actor)
    return [_read(actor, *row) for row in rows], cursor


async def _search(
    reading: Reading,
    paging: Paging,
    *,
    sort: Sort,
    filters: dict[str, Any],
    parameters: dict[str, Any],
    terms: Sequence[Term],
) -> tuple[Sequence[Row], str | None]:
    """Look at what comes next in the list; only if too little of it is found, ask the index."""
    values = values_of(terms)
    filters |= {name: value for name, value in values.items() if name in IS_FOUND}
    parameters |= values
    rows, cursor = await _LISTED.read(
        reading, paging, sort=sort, filters=filters, parameters=parameters
    )
    if cursor is not None:
        return rows, cursor
    narrowed = values_to_narrow(terms)
    filters |= {name: narrowed.pop(name) for name in MAY_BE_FOUND}
    parameters |= narrowed
    more, cursor = await _LISTED.read(
        reading, paging, sort=sort, filters=filters, parameters=parameters
    )
    # The index is not asked for who sees few projects, all of which have been looked at.
    return (more, cursor) if more else (rows, None)


def _read(actor: Actor, project: Project, home: Any, places: Any, progress: Any) -> ProjectSeen:
    return project, reading_from(actor, home, places), Progress(*progress)
