"""The history of a project over HTTP: ready to be made into sentences, in any language."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.projects.model.project import ProjectNotFound
from services.projects.queries.activity import ActivitySort, Line, list_activity
from shared.actor import MissingScope
from shared.contracts.projects import CommentSubjectKind
from shared.fields import Instant, Output, Slug
from shared.http.identity import CurrentActor
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.problems import refusals
from shared.http.transaction import CurrentReading, Route

router = APIRouter(prefix="/api/v1", tags=["projects"], route_class=Route)

EventType = Annotated[
    str,
    Query(max_length=100, pattern=r"^renkei\.[a-z_]+\.[a-z_]+\.v[1-9][0-9]?$"),
]
EntityKind = Annotated[str, Query(max_length=40, pattern=r"^[a-z_]+$")]


class ActingOut(Output):
    """Who did it: a person by id, with the function that they have now, or a machine."""

    kind: Literal["official", "client"]
    id: str
    function: dict[str, str] | None


class SubjectOut(Output):
    """What it happened to, and what that was called then; `member` if it belongs to one."""

    kind: str
    id: UUID
    version: int
    title: dict[str, str] | None
    member: str | None


class DiscussedOut(Output):
    """What a comment is about."""

    kind: CommentSubjectKind
    id: UUID


class PartOut(Output):
    """One of several things that the subject has."""

    id: str | None
    member: str | None


class ChangeOut(Output):
    """A field that was one thing and became another."""

    field: str
    of: PartOut | None
    was: Annotated[Any, Field(serialization_alias="from")]
    became: Annotated[Any, Field(serialization_alias="to")]


class ActivityOut(Output):
    """A line of the history. Time did it where nobody acts."""

    id: Annotated[UUID, Field(description="Of the event that told it.")]
    at: datetime
    type: str
    actor: ActingOut | None
    member: Annotated[str | None, Field(description="On whose behalf it was done.")]
    subject: SubjectOut
    changes: list[ChangeOut]
    about: Annotated[DiscussedOut | None, Field(description="What the comment is about.")]
    text: Annotated[
        dict[str, str] | None,
        Field(description="What the comment says now; nothing once it was removed."),
    ]


def activity_out(line: Line) -> ActivityOut:
    activity = line.activity
    kind, _, name = (activity.actor or "").partition(":")
    acting = {"kind": kind, "id": name, "function": line.function} if activity.actor else None
    about = {"kind": line.discussed_kind, "id": line.discussed_id}
    return ActivityOut.model_validate(
        {
            "id": activity.event_id,
            "at": activity.at,
            "type": activity.type,
            "actor": acting,
            "member": activity.member,
            "subject": {
                "kind": activity.subject_kind,
                "id": activity.subject_id,
                "version": activity.subject_version,
                "title": activity.subject_title,
                "member": activity.subject_member,
            },
            "changes": [ChangeOut.model_validate(change) for change in activity.changes()],
            "about": None if line.discussed_kind is None else about,
            "text": line.text,
        }
    )


@router.get(
    "/projects/{project_id}/activity",
    responses=refusals(MissingScope, ProjectNotFound, CursorUnknown),
)
async def get_project_activity(
    project_id: UUID,
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
    kind: Annotated[EntityKind | None, Query(description="Of entity, such as `milestone`.")] = None,
    entity_id: UUID | None = None,
    member: Annotated[Slug | None, Query(description="On whose behalf it was done.")] = None,
    type: EventType | None = None,  # noqa: A002 -- what facts call it
    since: Instant | None = None,
    until: Annotated[Instant | None, Query(description="Before this moment.")] = None,
    sort: ActivitySort = "-at",
) -> Page[ActivityOut]:
    """Read what happened in a project: who did what to which thing, and what changed by it."""
    found, cursor = await list_activity(
        reading,
        paging,
        project_id,
        actor=actor,
        sort=sort,
        subject_kind=kind,
        subject_id=entity_id,
        member=member,
        type=type,
        since=since,
        until=until,
    )
    return page(request, response, [activity_out(line) for line in found], cursor)
