"""Exports over HTTP: projects with all that belongs to them as a file.

An export is made page by page while it is sent and holds what the caller may see at that moment. It
holds at most 500 000 rows, a workbook 50 000, and takes at most as long as `streaming_seconds`;
a few are made at once in a process.
"""

from asyncio import to_thread
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.projects.http.tables.columns import Languages
from services.projects.http.tables.writing import (
    MEDIA_TYPES,
    ExportTooLarge,
    Form,
    writer_of,
)
from services.projects.model.project import ProjectNotFound
from services.projects.queries.exports import (
    Readings,
    languages_of_milestones,
    parts_of,
    size_of,
)
from services.projects.queries.projects import list_projects, project_seen
from shared.actor import Actor, MissingScope
from shared.contracts.projects import ProjectStatus
from shared.fields import Instant, Slug
from shared.http.identity import CurrentActor
from shared.http.paging import LIMIT_MAX, Paging
from shared.http.problems import refusals
from shared.http.streaming import Patience, Streamed, TooManyAtOnce, Turns, patience_of
from shared.http.transaction import CurrentReading, Route
from shared.reading import Reading

router = APIRouter(prefix="/api/v1/projects", tags=["tables"], route_class=Route)

EXPORTS: Final = Turns(3)
NAME_MAX: Final = 80
ROWS_MAX: Final[Mapping[Form, int]] = {"csv": 500_000, "json": 500_000, "xlsx": 50_000}

AnyForm = Annotated[
    Form,
    Query(alias="format", description="CSV and workbooks are tables, JSON holds states."),
]

FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file.",
        "content": {
            media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
            for media_type in MEDIA_TYPES.values()
        },
    }
}


@router.get(
    "/export",
    response_class=Response,
    responses=FILES | refusals(MissingScope, ExportTooLarge, TooManyAtOnce),
)
async def get_projects_export(
    request: Request,
    actor: CurrentActor,
    form: AnyForm = "csv",
    status: ProjectStatus | None = None,
    member: Annotated[
        Slug | None, Query(description="Leads it, takes part in it or is invited to.")
    ] = None,
    lead: Slug | None = None,
    objective: Slug | None = None,
    updated_since: Instant | None = None,
) -> Response:
    """Export the projects that the caller may see, with milestones and contributions."""
    filters = {
        "status": status,
        "member": member,
        "lead": lead,
        "objective": objective,
        "updated_since": updated_since,
    }
    pieces = export(
        _readings_of(request),
        form=form,
        actor=actor,
        filters=filters,
        patience=patience_of(request),
    )
    return _file(request, pieces, form=form, name="projects", readable_name="projects")


@router.get(
    "/{project_id}/export",
    response_class=Response,
    responses=FILES | refusals(MissingScope, ProjectNotFound, ExportTooLarge, TooManyAtOnce),
)
async def get_project_export(
    project_id: UUID,
    request: Request,
    reading: CurrentReading,
    actor: CurrentActor,
    form: AnyForm = "csv",
) -> Response:
    """Export a project with its milestones and contributions."""
    project, _, _ = await project_seen(reading, project_id, actor=actor)
    languages = Languages()
    languages.note(project)
    pieces = export_these(
        _readings_of(request),
        [project_id],
        languages,
        form=form,
        actor=actor,
        patience=patience_of(request),
    )
    title = project.title.get("en") or next(iter(project.title.values()))
    return _file(request, pieces, form=form, name=project.reference, readable_name=title)


async def export(
    readings: Readings,
    *,
    form: Form,
    actor: Actor,
    filters: Mapping[str, Any],
    patience: Patience,
) -> AsyncGenerator[bytes, None]:
    """Make a file of the projects that the actor may see and `list_projects` finds.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ExportTooLarge: there are more rows than a file may have.
    """
    ids: list[UUID] = []
    languages = Languages()
    cursor: str | None = None
    while True:
        async with readings() as reading:
            found, cursor = await list_projects(
                reading, Paging(LIMIT_MAX, cursor), actor=actor, **filters
            )
        for project, _, _ in found:
            ids.append(project.id)
            languages.note(project)
        if cursor is None:
            break
        ensure_fits(len(ids), form)
        patience.moved()
    pieces = export_these(readings, ids, languages, form=form, actor=actor, patience=patience)
    async with aclosing(pieces):
        async for piece in pieces:
            yield piece


async def export_these(
    readings: Readings,
    ids: Sequence[UUID],
    languages: Languages,
    *,
    form: Form,
    actor: Actor,
    patience: Patience,
) -> AsyncGenerator[bytes, None]:
    """Make a file of these projects, as far as the actor may still see them.

    Raises:
        ExportTooLarge: there are more rows than a file may have.
    """
    async with readings() as reading:
        size = await size_of(reading, ids, with_participations=form == "json")
        ensure_fits(len(ids) + size, form)
        if form != "json":
            titles, descriptions = await languages_of_milestones(reading, ids)
            languages.title.update(titles)
            languages.description.update(descriptions)
    with closing(writer_of(form, languages)) as writer:
        async for parts in parts_of(readings, ids, actor=actor, with_participations=form == "json"):
            # Other requests have their turn meanwhile.
            if piece := await to_thread(writer.write, parts):
                yield piece
            patience.moved()
        rest = writer.end()
        while piece := await to_thread(next, rest, b""):
            yield piece


def ensure_fits(rows: int, form: Form) -> None:
    """Refuse more rows than a file may have.

    Raises:
        ExportTooLarge: there are more.
    """
    limit = ROWS_MAX[form]
    if rows > limit:
        raise ExportTooLarge(
            f"It would have {rows} rows or more. Ask for fewer projects with the filters.",
            members={"rows": rows, "limit": limit},
        )


def _readings_of(request: Request) -> Readings:
    @asynccontextmanager
    async def a_reading() -> AsyncIterator[Reading]:
        reading = Reading(request.app.state.engine)
        try:
            yield reading
        finally:
            await reading.end()

    return a_reading


def _file(
    request: Request,
    pieces: AsyncGenerator[bytes, None],
    *,
    form: Form,
    name: str,
    readable_name: str,
) -> Response:
    """Answer with a file that has a name in every alphabet. Source: RFC 6266, RFC 8187."""
    readable = quote(f"{readable_name[:NAME_MAX].replace('/', ' ')}.{form}", safe="")
    disposition = f"attachment; filename=\"{name}.{form}\"; filename*=UTF-8''{readable}"
    return Streamed(
        pieces,
        turns=EXPORTS,
        patience=patience_of(request),
        media_type=MEDIA_TYPES[form],
        headers={"Content-Disposition": disposition},
    )
