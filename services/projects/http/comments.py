"""Comments over HTTP."""

from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Request, Response, status
from pydantic import AfterValidator, Field, model_validator

from services.projects.http.fields import Description, ReasonIn
from services.projects.model.comment import (
    MENTIONS_MAX,
    CommentChanges,
    CommentNotFound,
    CommentTakenBack,
    DraftNotDiscussed,
    EditedTooOften,
    Mentions,
    MentionUnknown,
    NotInDiscussion,
    NotYourComment,
    RepliedCommentUnknown,
    ReplyToReply,
)
from services.projects.model.decision import DecisionNotFound
from services.projects.model.milestone import MilestoneNotFound
from services.projects.model.project import ProjectEnded, ProjectNotFound
from services.projects.model.standing import MemberNotActive
from services.projects.queries.comments import (
    CommentSeen,
    CommentSort,
    comment_seen,
    list_comments,
    list_former_texts,
)
from services.projects.use_cases.edit_comment import edit_comment
from services.projects.use_cases.post_comment import post_comment
from services.projects.use_cases.remove_comment import remove_comment
from shared.actor import Actor, MissingScope
from shared.contracts.projects import CommentState, CommentSubjectKind
from shared.fields import OMITTED, Input, Instant, Output, Slug
from shared.http.idempotency import Idempotent, KeyInUse, KeyReused
from shared.http.identity import CurrentActor
from shared.http.paging import CurrentPaging, CursorUnknown, Page, Paging, page
from shared.http.preconditions import (
    ExpectedVersion,
    VersionRequired,
    VersionStale,
    show_version,
)
from shared.http.problems import refusals
from shared.http.transaction import CurrentReading, Now, Route, Transaction
from shared.reading import Reading

router = APIRouter(prefix="/api/v1", tags=["comments"], route_class=Route)

POSTING = (
    MissingScope,
    MemberNotActive,
    NotInDiscussion,
    ProjectEnded,
    DraftNotDiscussed,
    RepliedCommentUnknown,
    ReplyToReply,
    MentionUnknown,
    KeyInUse,
    KeyReused,
)
CHANGING = (
    CommentNotFound,
    MissingScope,
    MemberNotActive,
    NotYourComment,
    VersionRequired,
    VersionStale,
    CommentTakenBack,
)

MentionedMembers = Annotated[
    tuple[Slug, ...],
    Field(max_length=MENTIONS_MAX, description="Whole cities; their coordinators are told."),
    AfterValidator(lambda named: tuple(dict.fromkeys(named))),
]
MentionedOfficials = Annotated[
    tuple[UUID, ...],
    Field(max_length=MENTIONS_MAX, description="Officials of members that see the project."),
    AfterValidator(lambda named: tuple(dict.fromkeys(named))),
]


class CommentIn(Input):
    """What is said, in one or several languages, and to whom."""

    text: Description
    in_reply_to: Annotated[
        UUID | None, Field(description="A comment of the same discussion that is no reply itself.")
    ] = None
    mentioned_members: MentionedMembers = ()
    mentioned_officials: MentionedOfficials = ()


class CommentPatch(Input):
    """What is to change; fields that are left out stay as they are."""

    text: Description = OMITTED
    mentioned_members: MentionedMembers = OMITTED
    mentioned_officials: MentionedOfficials = OMITTED

    @model_validator(mode="after")
    def names_something(self) -> "CommentPatch":
        if not self.model_fields_set:
            raise ValueError("must name at least one field")
        return self


class CommentOut(CommentState):
    """A comment as clients see it."""

    author_function: Annotated[
        dict[str, str] | None,
        Field(description="In which function its author speaks now, or what is left of them."),
    ]
    allowed_actions: Annotated[list[str], Field(description="What this caller may do with it now.")]


class FormerTextOut(Output):
    """What a comment said before it was edited. `version` is the last one with these words."""

    version: int
    text: Annotated[
        dict[str, str] | None, Field(description="Nothing once the comment was removed.")
    ]
    written_at: datetime
    replaced_at: datetime
    replaced_by_official_id: UUID | None


def comment_out(seen: CommentSeen) -> CommentOut:
    comment, standing, function = seen
    return CommentOut.model_validate(
        {
            **vars(comment.state()),
            "author_function": function,
            "allowed_actions": comment.allowed_actions(standing),
        }
    )


def answer(response: Response, seen: CommentSeen) -> CommentOut:
    out = comment_out(seen)
    show_version(response, out.version)
    return out


# The same for each kind of subject, which has routes of its own below.


async def posted(
    kind: CommentSubjectKind,
    subject_id: UUID,
    body: CommentIn,
    response: Response,
    session: Transaction,
    *,
    actor: Actor,
    now: datetime,
) -> CommentOut:
    seen = await post_comment(
        session,
        kind,
        subject_id,
        actor=actor,
        now=now,
        text=body.text,
        mentions=Mentions(body.mentioned_members, body.mentioned_officials),
        in_reply_to=body.in_reply_to,
    )
    response.headers["Location"] = f"{router.prefix}/comments/{seen[0].id}"
    return answer(response, seen)


async def listed(
    kind: CommentSubjectKind,
    subject_id: UUID,
    request: Request,
    response: Response,
    reading: Reading,
    paging: Paging,
    *,
    actor: Actor,
    in_reply_to: UUID | None,
    updated_since: datetime | None,
    sort: CommentSort,
) -> Page[CommentOut]:
    found, cursor = await list_comments(
        reading,
        paging,
        kind,
        subject_id,
        actor=actor,
        sort=sort,
        in_reply_to=in_reply_to,
        updated_since=updated_since,
    )
    return page(request, response, [comment_out(seen) for seen in found], cursor)


@router.post(
    "/projects/{project_id}/comments",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Idempotent],
    responses=refusals(ProjectNotFound, *POSTING),
)
async def post_project_comment(
    project_id: UUID,
    body: CommentIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
) -> CommentOut:
    """Say something about a project. The lead and the participants, also invited ones, may."""
    return await posted("project", project_id, body, response, session, actor=actor, now=now)


@router.get(
    "/projects/{project_id}/comments",
    responses=refusals(MissingScope, ProjectNotFound, CursorUnknown),
)
async def get_project_comments(
    project_id: UUID,
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
    in_reply_to: UUID | None = None,
    updated_since: Instant | None = None,
    sort: CommentSort = "created",
) -> Page[CommentOut]:
    """List what was said about a project, with replies and with what is left of removed ones."""
    return await listed(
        "project",
        project_id,
        request,
        response,
        reading,
        paging,
        actor=actor,
        in_reply_to=in_reply_to,
        updated_since=updated_since,
        sort=sort,
    )


@router.post(
    "/milestones/{milestone_id}/comments",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Idempotent],
    responses=refusals(MilestoneNotFound, *POSTING),
)
async def post_milestone_comment(
    milestone_id: UUID,
    body: CommentIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
) -> CommentOut:
    """Say something about a milestone. The lead and the participants, also invited ones, may."""
    return await posted("milestone", milestone_id, body, response, session, actor=actor, now=now)


@router.get(
    "/milestones/{milestone_id}/comments",
    responses=refusals(MissingScope, MilestoneNotFound, CursorUnknown),
)
async def get_milestone_comments(
    milestone_id: UUID,
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
    in_reply_to: UUID | None = None,
    updated_since: Instant | None = None,
    sort: CommentSort = "created",
) -> Page[CommentOut]:
    """List what was said about a milestone, with replies and with what is left of removed ones."""
    return await listed(
        "milestone",
        milestone_id,
        request,
        response,
        reading,
        paging,
        actor=actor,
        in_reply_to=in_reply_to,
        updated_since=updated_since,
        sort=sort,
    )


@router.post(
    "/decisions/{decision_id}/comments",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Idempotent],
    responses=refusals(DecisionNotFound, *POSTING),
)
async def post_decision_comment(
    decision_id: UUID,
    body: CommentIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
) -> CommentOut:
    """Say something about a decision. The lead and the participants, also invited ones, may."""
    return await posted("decision", decision_id, body, response, session, actor=actor, now=now)


@router.get(
    "/decisions/{decision_id}/comments",
    responses=refusals(MissingScope, DecisionNotFound, CursorUnknown),
)
async def get_decision_comments(
    decision_id: UUID,
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
    in_reply_to: UUID | None = None,
    updated_since: Instant | None = None,
    sort: CommentSort = "created",
) -> Page[CommentOut]:
    """List what was said about a decision, with replies and with what is left of removed ones."""
    return await listed(
        "decision",
        decision_id,
        request,
        response,
        reading,
        paging,
        actor=actor,
        in_reply_to=in_reply_to,
        updated_since=updated_since,
        sort=sort,
    )


@router.get("/comments/{comment_id}", responses=refusals(MissingScope, CommentNotFound))
async def get_comment(
    comment_id: UUID, response: Response, reading: CurrentReading, actor: CurrentActor
) -> CommentOut:
    """Read a comment."""
    return answer(response, await comment_seen(reading, comment_id, actor=actor))


@router.get(
    "/comments/{comment_id}/versions",
    responses=refusals(MissingScope, CommentNotFound, CursorUnknown),
)
async def get_comment_versions(
    comment_id: UUID,
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
) -> Page[FormerTextOut]:
    """List what a comment said before it was edited, the first words first."""
    found, cursor = await list_former_texts(reading, paging, comment_id, actor=actor)
    shown = [FormerTextOut.model_validate(former) for former in found]
    return page(request, response, shown, cursor)


@router.patch(
    "/comments/{comment_id}",
    responses=refusals(*CHANGING, NotInDiscussion, ProjectEnded, EditedTooOften, MentionUnknown),
)
async def patch_comment(
    comment_id: UUID,
    body: CommentPatch,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> CommentOut:
    """Say it in other words. Its author or a coordinator of the author's member may."""
    changes = cast(CommentChanges, body.model_dump(exclude_unset=True))
    seen = await edit_comment(
        session, comment_id, actor=actor, now=now, expected=expected, changes=changes
    )
    return answer(response, seen)


@router.post(
    "/comments/{comment_id}/removal",
    dependencies=[Idempotent],
    responses=refusals(*CHANGING, KeyInUse, KeyReused),
)
async def post_comment_removal(
    comment_id: UUID,
    body: ReasonIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> CommentOut:
    """Take the words back, for all readers. Its author or a coordinator of their member may."""
    seen = await remove_comment(
        session, comment_id, actor=actor, now=now, expected=expected, reason=body.reason
    )
    return answer(response, seen)
