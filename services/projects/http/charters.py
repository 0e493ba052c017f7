"""The charter of a project over HTTP: the version in force stands in the project itself."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from services.projects.http.fields import Description
from services.projects.http.projects import CHANGING, ProjectOut, answer
from services.projects.model.charter import CharterAgreed, CharterVersionNotFound
from services.projects.model.project import ProjectNotFound
from services.projects.queries.charter_versions import (
    charter_version_seen,
    list_charter_versions,
)
from services.projects.use_cases.amend_charter import amend_charter
from shared.actor import MissingScope
from shared.fields import INT4_MAX, Input, Output
from shared.http.identity import CurrentActor
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import ExpectedVersion
from shared.http.problems import refusals
from shared.http.transaction import CurrentReading, Now, Route, Transaction

router = APIRouter(prefix="/api/v1/projects", tags=["projects"], route_class=Route)


class CharterIn(Input):
    """On which terms members take part."""

    text: Description


class CharterVersionOut(Output):
    """The charter as it was from one moment on."""

    number: int
    text: dict[str, str]
    adopted_at: datetime
    adopted_by: Annotated[str | None, Field(description="Who did it; null when time did.")]
    adopted_by_member: str | None
    decision_id: Annotated[UUID | None, Field(description="The decision that adopted it, if any.")]


@router.put("/{project_id}/charter", responses=refusals(*CHANGING, CharterAgreed))
async def put_project_charter(
    project_id: UUID,
    body: CharterIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ProjectOut:
    """Write the charter. Only the lead may, and only while nobody else takes part."""
    seen = await amend_charter(
        session, project_id, actor=actor, now=now, expected=expected, text=body.text
    )
    return answer(response, seen)


@router.get(
    "/{project_id}/charter-versions",
    responses=refusals(MissingScope, ProjectNotFound, CursorUnknown),
)
async def get_charter_versions(
    project_id: UUID,
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
) -> Page[CharterVersionOut]:
    """List the versions of the charter of a project, the first one first."""
    found, cursor = await list_charter_versions(reading, paging, project_id, actor=actor)
    items = [CharterVersionOut.model_validate(version) for version in found]
    return page(request, response, items, cursor)


@router.get(
    "/{project_id}/charter-versions/{number}",
    responses=refusals(MissingScope, ProjectNotFound, CharterVersionNotFound),
)
async def get_charter_version(
    project_id: UUID,
    number: Annotated[int, Path(ge=1, le=INT4_MAX)],
    reading: CurrentReading,
    actor: CurrentActor,
) -> CharterVersionOut:
    """Read one version of the charter of a project."""
    found = await charter_version_seen(reading, project_id, number, actor=actor)
    return CharterVersionOut.model_validate(found)
