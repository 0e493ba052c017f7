"""Projects over HTTP."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field, model_validator

from services.projects.http.fields import Description, ReasonIn, Sought
from services.projects.model.project import (
    MilestonesOpen,
    NobodyTakesPart,
    NothingAchieved,
    NotProjectLead,
    PeriodReversed,
    ProjectChanges,
    ProjectEnded,
    ProjectNotActive,
    ProjectNotDraft,
    ProjectNotFound,
    ProjectNotProposed,
    ProjectNotSuspended,
    ReferenceTaken,
)
from services.projects.model.searching import SearchTooLong, SearchTooShort
from services.projects.model.standing import MemberNotActive
from services.projects.model.topic import TopicNotInUse
from services.projects.queries.projects import ProjectSeen, list_projects, project_seen
from services.projects.queries.sorting import Sort
from services.projects.use_cases.activate_project import activate_project
from services.projects.use_cases.cancel_project import cancel_project
from services.projects.use_cases.change_project import change_project
from services.projects.use_cases.complete_project import complete_project
from services.projects.use_cases.create_project import create_project
from services.projects.use_cases.propose_project import propose_project
from services.projects.use_cases.resume_project import resume_project
from services.projects.use_cases.suspend_project import suspend_project
from shared.actor import MissingScope
from shared.contracts.projects import ProjectState, ProjectStatus, Visibility
from shared.fields import OMITTED, Day, Input, Instant, Lines, Slug
from shared.http.idempotency import Idempotent, KeyInUse, KeyReused
from shared.http.identity import CurrentActor
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import (
    ExpectedVersion,
    VersionRequired,
    VersionStale,
    show_version,
)
from shared.http.problems import refusals
from shared.http.transaction import CurrentReading, Now, Route, Transaction

router = APIRouter(prefix="/api/v1/projects", tags=["projects"], route_class=Route)

MAY_NOT = (ProjectNotFound, MissingScope, MemberNotActive, NotProjectLead)
CHANGING = (*MAY_NOT, VersionRequired, VersionStale, KeyInUse, KeyReused, ProjectEnded)

Topics = Annotated[tuple[Slug, ...], Field(max_length=20)]


class ProjectIn(Input):
    """A new project; its lead is the member that creates it."""

    reference: Annotated[Slug, Field(description="Short name, unique in the network.")]
    title: Lines
    summary: Description
    objectives: Annotated[Topics, Field(description="Strategic objectives it serves.")] = ()
    themes: Annotated[Topics, Field(description="Themes it belongs to.")] = ()
    visibility: Annotated[Visibility, Field(description="Who sees it once it is proposed.")] = (
        "participants"
    )
    starts_on: Day | None = None
    ends_on: Day | None = None


class ProjectPatch(Input):
    """What is to change; fields that are left out stay as they are."""

    title: Lines = OMITTED
    summary: Description = OMITTED
    objectives: Topics = OMITTED
    themes: Topics = OMITTED
    visibility: Visibility = OMITTED
    starts_on: Day | None = OMITTED
    ends_on: Day | None = OMITTED

    @model_validator(mode="after")
    def names_something(self) -> "ProjectPatch":
        if not self.model_fields_set:
            raise ValueError("must name at least one field")
        return self


class ProjectOut(ProjectState):
    """A joint project as clients see it."""

    allowed_actions: Annotated[list[str], Field(description="What this caller may do to it now.")]


def project_out(seen: ProjectSeen) -> ProjectOut:
    project, standing, progress = seen
    actions = project.allowed_actions(standing, progress)
    return ProjectOut.model_validate({**vars(project.state()), "allowed_actions": actions})


def answer(response: Response, seen: ProjectSeen) -> ProjectOut:
    out = project_out(seen)
    show_version(response, out.version)
    return out


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Idempotent],
    responses=refusals(
        *(MissingScope, MemberNotActive, PeriodReversed, TopicNotInUse, ReferenceTaken),
        *(KeyInUse, KeyReused),
    ),
)
async def post_project(
    body: ProjectIn, response: Response, session: Transaction, actor: CurrentActor, now: Now
) -> ProjectOut:
    """Begin a project as a draft that only its lead sees."""
    seen = await create_project(session, actor=actor, now=now, **dict(body))
    response.headers["Location"] = f"{router.prefix}/{seen[0].id}"
    return answer(response, seen)


@router.get("", responses=refusals(MissingScope, CursorUnknown, SearchTooShort, SearchTooLong))
async def get_projects(
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
    status: ProjectStatus | None = None,
    member: Annotated[
        Slug | None, Query(description="Leads it, takes part in it or is invited to.")
    ] = None,
    lead: Slug | None = None,
    objective: Slug | None = None,
    theme: Slug | None = None,
    waits_for: Annotated[
        Slug | None,
        Query(description="Has been invited, or owes a contribution or its acceptance."),
    ] = None,
    updated_since: Instant | None = None,
    q: Annotated[
        Sought | None,
        Query(
            description="Words in any language: in reference, title, summary and charter, or in"
            " the names of the lead and of members invited or taking part."
        ),
    ] = None,
    sort: Sort = "created",
) -> Page[ProjectOut]:
    """List the projects that the caller may see."""
    found, cursor = await list_projects(
        reading,
        paging,
        actor=actor,
        sort=sort,
        status=status,
        member=member,
        lead=lead,
        objective=objective,
        theme=theme,
        waits_for=waits_for,
        updated_since=updated_since,
        q=q,
    )
    return page(request, response, [project_out(seen) for seen in found], cursor)


@router.get("/{project_id}", responses=refusals(MissingScope, ProjectNotFound))
async def get_project(
    project_id: UUID, response: Response, reading: CurrentReading, actor: CurrentActor
) -> ProjectOut:
    """Read a project."""
    return answer(response, await project_seen(reading, project_id, actor=actor))


@router.patch("/{project_id}", responses=refusals(*CHANGING, PeriodReversed, TopicNotInUse))
async def patch_project(
    project_id: UUID,
    body: ProjectPatch,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ProjectOut:
    """Change what a project says of itself. Only its lead may."""
    changes = cast(ProjectChanges, body.model_dump(exclude_unset=True))
    seen = await change_project(
        session, project_id, actor=actor, now=now, expected=expected, changes=changes
    )
    return answer(response, seen)


@router.post(
    "/{project_id}/proposal",
    dependencies=[Idempotent],
    responses=refusals(*CHANGING, ProjectNotDraft),
)
async def post_project_proposal(
    project_id: UUID,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ProjectOut:
    """Open a draft for invitations; from here on others may see it."""
    return answer(
        response,
        await propose_project(session, project_id, actor=actor, now=now, expected=expected),
    )


@router.post(
    "/{project_id}/activation",
    dependencies=[Idempotent],
    responses=refusals(*CHANGING, ProjectNotProposed, NobodyTakesPart),
)
async def post_project_activation(
    project_id: UUID,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ProjectOut:
    """Begin the work. At least one participant besides the lead must have accepted."""
    return answer(
        response,
        await activate_project(session, project_id, actor=actor, now=now, expected=expected),
    )


@router.post(
    "/{project_id}/suspension",
    dependencies=[Idempotent],
    responses=refusals(*CHANGING, ProjectNotActive),
)
async def post_project_suspension(
    project_id: UUID,
    body: ReasonIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ProjectOut:
    """Let the work rest."""
    seen = await suspend_project(
        session, project_id, actor=actor, now=now, expected=expected, reason=body.reason
    )
    return answer(response, seen)


@router.post(
    "/{project_id}/resumption",
    dependencies=[Idempotent],
    responses=refusals(*CHANGING, ProjectNotSuspended),
)
async def post_project_resumption(
    project_id: UUID,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ProjectOut:
    """Go on with the work."""
    return answer(
        response,
        await resume_project(session, project_id, actor=actor, now=now, expected=expected),
    )


@router.post(
    "/{project_id}/completion",
    dependencies=[Idempotent],
    responses=refusals(*CHANGING, ProjectNotActive, MilestonesOpen, NothingAchieved),
)
async def post_project_completion(
    project_id: UUID,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ProjectOut:
    """Close a project as done; nothing in it changes any more."""
    return answer(
        response,
        await complete_project(session, project_id, actor=actor, now=now, expected=expected),
    )


@router.post("/{project_id}/cancellation", dependencies=[Idempotent], responses=refusals(*CHANGING))
async def post_project_cancellation(
    project_id: UUID,
    body: ReasonIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ProjectOut:
    """End a project without its result; nothing in it changes any more."""
    seen = await cancel_project(
        session, project_id, actor=actor, now=now, expected=expected, reason=body.reason
    )
    return answer(response, seen)
