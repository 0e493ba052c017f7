"""Use case: a member says it in other words."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.comment import CommentChanges
from services.projects.queries.comments import (
    CommentSeen,
    addressees,
    comment_for_change,
    function_of,
)
from shared.actor import Actor
from shared.contracts.projects import CommentEdited
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def edit_comment(
    session: AsyncSession,
    comment_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    changes: CommentChanges,
) -> CommentSeen:
    """Replace the given fields; the former words stay readable.

    Raises:
        CommentNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotYourComment, NotInDiscussion: the actor may not.
        VersionStale: the comment is not at the expected version.
        CommentTakenBack: it has been removed.
        ProjectEnded: the project is over.
        EditedTooOften: it has said as many other things as it can.
        MentionUnknown: somebody who is newly mentioned does not see the project.
    """
    comment, standing = await comment_for_change(session, comment_id, actor=actor)
    comment.ensure_own(standing)
    before = comment.state()
    ensure_version(expected, before)
    known = await addressees(session, comment.newly_mentioned(changes))
    comment.edit(changes, known=known, by=standing, at=now)
    announce(
        session,
        CommentEdited.about(
            comment.state(),
            before=before,
            by=actor,
            at=now,
            audience=comment.audience(standing.places),
        ),
    )
    return comment, standing, await function_of(session, comment.official_id)
