"""Use case: a member takes its words back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.comments import CommentSeen, comment_for_change, function_of
from shared.actor import Actor
from shared.contracts.projects import CommentRemoved
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def remove_comment(
    session: AsyncSession,
    comment_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    reason: str,
) -> CommentSeen:
    """Hide a comment from all readers; that it was there, and why it is gone, stays. Final.

    Raises:
        CommentNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotYourComment: the actor may not.
        VersionStale: the comment is not at the expected version.
        CommentTakenBack: it has been removed before.
    """
    comment, standing = await comment_for_change(session, comment_id, actor=actor)
    comment.ensure_own(standing)
    before = comment.state()
    ensure_version(expected, before)
    comment.remove(reason, by=standing, at=now)
    state = comment.state()
    # The fact must not say once more what is taken back.
    words = {"text", "mentioned_members", "mentioned_officials"}
    announce(
        session,
        CommentRemoved.about(
            state,
            before=before.model_copy(update=state.model_dump(include=words)),
            by=actor,
            at=now,
            audience=comment.audience(standing.places),
        ),
    )
    return comment, standing, await function_of(session, comment.official_id)
