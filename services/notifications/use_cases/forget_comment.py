"""Use case: what webhooks have told, or still have to tell, of a comment that was removed."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.use_cases.forget_official import FORGET
from shared.contracts.projects import CommentRemoved
from shared.messaging.erasing import forget_buried


async def forget_comment(session: AsyncSession, event: CommentRemoved) -> None:
    """Let all that was said of a comment say what is left of it.

    What still waits is sent in this form, and so is what is sent again.
    """
    await session.execute(
        text(FORGET),
        {
            "kind": "renkei.comment.%",
            "data": event.data.model_dump_json(),
            "newest": event.id,
            "subject": event.subject,
        },
    )
    await forget_buried(session, f"evt.projects.comment.{event.subject}.>", kept=event.nats_subject)
