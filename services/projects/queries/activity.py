"""The history of a project, for those who may read it.

A line is shown to whom it was told, and what happened since the proposal also to every member that
has a place in the project now. Who only looks on, because all may, sees what was told to all.
"""

from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import Text, Uuid, and_, any_, bindparam, func, literal, or_, select
from sqlalchemy.orm import aliased

from services.projects.model.activity import Activity
from services.projects.model.comment import Comment
from services.projects.model.known import KnownOfficial
from services.projects.model.project import Project
from services.projects.queries.comments import READABLE
from services.projects.queries.projects import ensure_project_seen
from services.projects.queries.standings import (
    HOME,
    INSTANT,
    ME,
    MEMBER,
    PROJECT_ID,
    VISIBLE,
    has_place,
    parameters,
    reading_from,
)
from shared.actor import Actor
from shared.contracts.event import EVERYONE
from shared.contracts.projects import CommentSubjectKind, ProjectProposed
from shared.http.paging import Listing, Paging
from shared.reading import Reading

ActivitySort = Literal["at", "-at"]

OF_A_PROJECT: Final = (
    *("project", "participation", "milestone", "decision", "handover", "comment"),
)
"""What all who see a project may know of. Other things that belong to one, such as a calendar that
a member subscribes to, have lines as well, but these are nobody else's business."""

_earlier = aliased(Activity)

_PROPOSED: Final = (
    select(func.min(_earlier.position))
    .where(_earlier.project_id == PROJECT_ID, _earlier.type == ProjectProposed.type_name())
    .scalar_subquery()
)
"""Positions, unlike clocks, agree on what came first."""

_SHOWN: Final = or_(
    any_(Activity.audience) == literal(EVERYONE[0]),
    any_(Activity.audience) == ME,
    and_(or_(Project.lead == ME, has_place(ME)), Activity.position >= _PROPOSED),
)

_LISTED: Final = Listing(
    select(
        Activity,
        KnownOfficial.function,
        Comment.text,
        Comment.subject_kind,
        Comment.subject_id,
        HOME,
    )
    .join(Project, Project.id == Activity.project_id)
    .outerjoin(KnownOfficial, KnownOfficial.id == Activity.official_id)
    .outerjoin(
        Comment,
        and_(Activity.subject_kind == "comment", Comment.id == Activity.subject_id, READABLE),
    )
    .where(
        Activity.project_id == PROJECT_ID,
        Activity.subject_kind.in_(map(literal, OF_A_PROJECT)),
        VISIBLE,
        _SHOWN,
    ),
    filters={
        "subject_kind": Activity.subject_kind == bindparam("subject_kind", type_=Text()),
        "subject_id": Activity.subject_id == bindparam("subject_id", type_=Uuid()),
        "member": Activity.member == MEMBER,
        "type": Activity.type == bindparam("type", type_=Text()),
        "since": Activity.at >= bindparam("since", type_=INSTANT),
        "until": Activity.at < bindparam("until", type_=INSTANT),
    },
    sorts={"at": (Activity.position,)},
)


class Line(NamedTuple):
    """A fact and the function of the official who made it.

    And, if it is about a comment, what that says and what it was said about.
    """

    activity: Activity
    function: dict[str, str] | None
    text: dict[str, str] | None
    discussed_kind: CommentSubjectKind | None
    discussed_id: UUID | None


async def list_activity(
    reading: Reading,
    paging: Paging,
    project_id: UUID,
    *,
    actor: Actor,
    sort: ActivitySort = "-at",
    subject_kind: str | None = None,
    subject_id: UUID | None = None,
    member: str | None = None,
    type: str | None = None,  # noqa: A002 -- what facts call it
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[list[Line], str | None]:
    """List what happened in a project, in one statement. `member` is the one that acted.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound: for the actor there is no such project.
        CursorUnknown: the cursor was not made by this list.
    """
    filters: dict[str, Any] = {
        "subject_kind": subject_kind,
        "subject_id": subject_id,
        "member": member,
        "type": type,
        "since": since,
        "until": until,
    }
    rows, cursor = await _LISTED.read(
        reading,
        paging,
        sort=sort,
        filters=filters,
        parameters=parameters(actor, project_id=project_id),
    )
    if not rows:
        await ensure_project_seen(reading, project_id, actor=actor)
    lines = []
    for *line, home in rows:
        reading_from(actor, home, None)
        lines.append(Line(*line))
    return lines, cursor
