"""Use case: a member says something."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.comment import Comment, Mentions
from services.projects.queries.comments import (
    CommentSeen,
    addressees,
    comment_replied_to,
    function_of,
)
from services.projects.queries.discussed import discussed_for_change
from shared.actor import Actor
from shared.contracts.projects import CommentPosted, CommentSubjectKind
from shared.messaging.outbox import announce


async def post_comment(
    session: AsyncSession,
    kind: CommentSubjectKind,
    subject_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    text: dict[str, str],
    mentions: Mentions,
    in_reply_to: UUID | None,
) -> CommentSeen:
    """Say something about a project or something in it, perhaps in reply to somebody.

    Raises:
        ProjectNotFound, MilestoneNotFound: for the actor there is no such thing.
        MissingScope, MemberNotActive, NotInDiscussion: the actor may not.
        ProjectEnded, DraftNotDiscussed: the project is not open for discussion.
        RepliedCommentUnknown: what it replies to is not in this discussion.
        ReplyToReply: what it replies to is a reply itself.
        MentionUnknown: somebody who is mentioned does not see the project.
    """
    about, standing = await discussed_for_change(session, kind, subject_id, actor=actor)
    replied_to = None
    if in_reply_to is not None:
        replied_to = await comment_replied_to(session, in_reply_to, subject_id=about.id)
    comment = Comment.post(
        about,
        text=text,
        mentions=mentions,
        known=await addressees(session, mentions),
        in_reply_to=replied_to,
        by=standing,
        at=now,
    )
    session.add(comment)
    announce(
        session,
        CommentPosted.about(
            comment.state(), by=actor, at=now, audience=comment.audience(standing.places)
        ),
    )
    return comment, standing, await function_of(session, comment.official_id)
