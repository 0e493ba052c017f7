"""Projects that begin with what another one was, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response, status
from pydantic import Field

from services.projects.http.projects import ProjectOut, answer
from services.projects.model.project import PeriodReversed, ProjectNotFound, ReferenceTaken
from services.projects.model.standing import MemberNotActive
from services.projects.model.template import CopyOutsideCalendar, TemplateTooLarge
from services.projects.use_cases.copy_project import copy_project
from shared.actor import MissingScope
from shared.contracts.projects import Visibility
from shared.fields import Day, Input, Lines, Slug
from shared.http.idempotency import Idempotent, KeyInUse, KeyReused
from shared.http.identity import CurrentActor
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(prefix="/api/v1/projects", tags=["projects"], route_class=Route)


class CopyIn(Input):
    """What is new in a project that is like another one; its lead is the member that copies."""

    reference: Annotated[Slug, Field(description="Short name, unique in the network.")]
    title: Lines
    visibility: Annotated[Visibility, Field(description="Who sees it once it is proposed.")] = (
        "participants"
    )
    starts_on: Annotated[
        Day, Field(description="Deadlines lie as many days after it as those of the template did.")
    ]


@router.post(
    "/{project_id}/copies",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Idempotent],
    responses=refusals(
        *(ProjectNotFound, MissingScope, MemberNotActive, TemplateTooLarge, ReferenceTaken),
        *(PeriodReversed, CopyOutsideCalendar, KeyInUse, KeyReused),
    ),
)
async def post_project_copy(
    project_id: UUID,
    body: CopyIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
) -> ProjectOut:
    """Draft a project like one that the caller sees: its summary, charter, topics and milestones.

    Nobody takes part in it yet, and its lead is accountable for every milestone.
    """
    seen = await copy_project(session, project_id, actor=actor, now=now, **dict(body))
    response.headers["Location"] = f"{router.prefix}/{seen[0].id}"
    return answer(response, seen)
