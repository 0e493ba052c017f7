"""Use case: what is told, or still has to be, of a comment that was removed."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.use_cases.forget_official import forget_all_but
from shared.contracts.projects import CommentRemoved
from shared.messaging.erasing import forget_buried


async def forget_comment(session: AsyncSession, event: CommentRemoved) -> None:
    """Let all that was said of a comment say what is left of it.

    What still waits is sent in this form, and so is what is sent again or read from a feed.
    """
    await forget_all_but(session, event)
    await forget_buried(session, f"evt.projects.comment.{event.subject}.>", kept=event.nats_subject)
