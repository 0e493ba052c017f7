"""Every SELECT of comments."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager, selectinload

from services.projects.model.comment import (
    Addressees,
    Comment,
    FormerText,
    Mentions,
    RepliedCommentUnknown,
    no_comment,
)
from services.projects.model.known import KnownMember, KnownOfficial
from services.projects.model.project import Project
from services.projects.model.standing import Standing
from services.projects.queries.discussed import ensure_discussed_seen
from services.projects.queries.standings import (
    HOME,
    INSTANT,
    ME,
    PLACES,
    VISIBLE,
    ensure_may_read,
    has_place,
    parameters,
    reading_from,
    standing_in,
)
from shared.actor import Actor
from shared.contracts.projects import CommentSubjectKind
from shared.http.paging import Listing, Paging
from shared.reading import Question, Reading

CommentSort = Literal["created", "-created", "updated", "-updated"]

Function = dict[str, str] | None
"""In which function an official speaks; of one who was erased, what is left."""

CommentSeen = tuple[Comment, Standing, Function]

READABLE: Final = or_(
    Comment.visibility == "network", Project.lead == ME, Comment.member == ME, has_place(ME)
)
"""Matches the comments that who sees the project may read, as `Comment.is_seen_by` does."""

_SEEN: Final = (
    select(Comment, Project, KnownOfficial.function, HOME, PLACES)
    .join(Comment.project)
    .outerjoin(KnownOfficial, KnownOfficial.id == Comment.official_id)
    .where(VISIBLE, READABLE)
)
_ONE_SEEN: Final = Question(_SEEN.where(Comment.id == bindparam("comment_id", type_=Uuid())))


async def comment_seen(reading: Reading, comment_id: UUID, *, actor: Actor) -> CommentSeen:
    """Load a comment in a project that the actor may see, in one statement.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        CommentNotFound: for the actor there is none.
    """
    found = await reading.rows(_ONE_SEEN, parameters(actor, comment_id=comment_id))
    if not found:
        await ensure_may_read(reading, actor=actor)
        raise no_comment(comment_id)
    return _read(actor, *found[0])


async def comment_for_change(
    session: AsyncSession, comment_id: UUID, *, actor: Actor
) -> tuple[Comment, Standing]:
    """Load a comment that the actor may see; its project and it stay locked, in this order.

    Raises:
        CommentNotFound: for the actor there is none.
    """
    comment = await session.scalar(
        select(Comment)
        .select_from(Project)  # which is locked first
        .join(Comment, Comment.project_id == Project.id)
        .options(contains_eager(Comment.project), selectinload(Comment.former_texts))
        .where(Comment.id == comment_id)
        .with_for_update(key_share=True)
    )
    if comment is None:
        raise no_comment(comment_id)
    standing = await standing_in(session, comment.project_id, actor=actor)
    if not comment.is_seen_by(standing):
        raise no_comment(comment_id)
    return comment, standing


async def comment_replied_to(
    session: AsyncSession, comment_id: UUID, *, subject_id: UUID
) -> Comment:
    """Load what a reply is to.

    Raises:
        RepliedCommentUnknown: it is not in this discussion.
    """
    comment = await session.get(Comment, comment_id)
    if comment is None or comment.subject_id != subject_id:
        raise RepliedCommentUnknown(f"There is no comment {comment_id} in this discussion.")
    return comment


async def addressees(session: AsyncSession, mentions: Mentions) -> Addressees:
    """Find which of those mentioned are active in the network."""
    officials: dict[UUID, str] = {}
    if mentions.officials:
        found = await session.scalars(
            select(KnownOfficial).where(
                KnownOfficial.id.in_(mentions.officials), KnownOfficial.status == "active"
            )
        )
        officials = {official.id: official.member for official in found}
    wanted = {*mentions.members, *officials.values()}
    if not wanted:
        return Addressees()
    members = await session.scalars(
        select(KnownMember.slug).where(KnownMember.slug.in_(wanted), KnownMember.status == "active")
    )
    return Addressees(frozenset(members), officials)


async def function_of(session: AsyncSession, official_id: UUID | None) -> Function:
    """Tell in which function an official speaks, if the network has said so."""
    if official_id is None:
        return None
    official = await session.get(KnownOfficial, official_id)
    return None if official is None else official.function


_LISTED: Final = Listing(
    _SEEN.where(
        Comment.subject_kind == bindparam("subject_kind", type_=Text()),
        Comment.subject_id == bindparam("subject_id", type_=Uuid()),
    ),
    filters={
        "in_reply_to": Comment.in_reply_to == bindparam("in_reply_to", type_=Uuid()),
        "updated_since": Comment.updated_at >= bindparam("updated_since", type_=INSTANT),
    },
    sorts={
        "created": (Comment.created_at, Comment.id),
        "updated": (Comment.updated_at, Comment.id),
    },
)


async def list_comments(
    reading: Reading,
    paging: Paging,
    kind: CommentSubjectKind,
    subject_id: UUID,
    *,
    actor: Actor,
    sort: CommentSort = "created",
    in_reply_to: UUID | None = None,
    updated_since: datetime | None = None,
) -> tuple[list[CommentSeen], str | None]:
    """List what was said about one thing, with replies and with what is left of removed comments.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound, MilestoneNotFound: for the actor there is no such thing.
        CursorUnknown: the cursor was not made by this list.
    """
    rows, cursor = await _LISTED.read(
        reading,
        paging,
        sort=sort,
        filters={"in_reply_to": in_reply_to, "updated_since": updated_since},
        parameters=parameters(actor, subject_kind=kind, subject_id=subject_id),
    )
    if not rows:
        await ensure_discussed_seen(reading, kind, subject_id, actor=actor)
    return [_read(actor, *row) for row in rows], cursor


_FORMER: Final = Listing(
    select(FormerText, HOME)
    .join(Comment, Comment.id == FormerText.comment_id)
    .join(Comment.project)
    .where(VISIBLE, READABLE, FormerText.comment_id == bindparam("comment_id", type_=Uuid())),
    filters={},
    sorts={"version": (FormerText.version,)},
)


async def list_former_texts(
    reading: Reading, paging: Paging, comment_id: UUID, *, actor: Actor
) -> tuple[list[FormerText], str | None]:
    """List what a comment said before it was edited, the first words first.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        CommentNotFound: for the actor there is none.
        CursorUnknown: the cursor was not made by this list.
    """
    rows, cursor = await _FORMER.read(
        reading,
        paging,
        sort="version",
        filters={},
        parameters=parameters(actor, comment_id=comment_id),
    )
    if not rows:
        await comment_seen(reading, comment_id, actor=actor)
    for _, home in rows:
        reading_from(actor, home, None)
    return [former for former, _ in rows], cursor


def _read(
    actor: Actor, comment: Comment, project: Project, function: Function, home: Any, places: Any
) -> CommentSeen:
    comment.project = project
    return comment, reading_from(actor, home, places), function
