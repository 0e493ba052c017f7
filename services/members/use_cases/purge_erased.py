"""Use case: history stops telling of officials who have been erased."""

from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.queries.erasures import next_erasure
from shared.messaging.erasing import forget_logged

log = structlog.get_logger(__name__)


class ForgetStreamed(Protocol):
    """Takes facts off the stream of the service."""

    async def __call__(self, subjects: str, *, kept: str) -> int:
        """Take off the facts of these subjects, all but those of `kept`; say how many."""
        ...


async def purge_erased(session: AsyncSession, *, forget_streamed: ForgetStreamed) -> bool:
    """Take one official out of the log and then, in another transaction, off the stream.

    In this order a stream that is lost meanwhile is not refilled with them. What ends in the middle
    begins again.

    Returns:
        Whether there is more to do at once.
    """
    erasure = await next_erasure(session)
    if erasure is None:
        return False
    subjects = f"evt.members.official.{erasure.official_id}.>"
    kept = f"evt.members.official.{erasure.official_id}.erased.v1"
    if await forget_logged(session, subjects, kept=kept):
        return True
    purged = await forget_streamed(subjects, kept=kept)
    await session.delete(erasure)
    log.info("official.purged", official=str(erasure.official_id), messages=purged)
    return True
