"""Use case: an official is not to be here any more, in whatever browser and application."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.queries.officials import sign_ins_of
from services.members.use_cases.end_sessions import end_sessions_of
from services.members.use_cases.end_sign_in import end_sign_in
from shared.actor import Actor


async def end_presence(
    session: AsyncSession, official_id: UUID, *, because: str, by: Actor, now: datetime
) -> None:
    """End everything that an official is logged in to, and tell their member of each session.

    What has ended stays so when the official may act again.
    """
    for sign_in in await sign_ins_of(session, official_id):
        await end_sign_in(session, sign_in, because=because, by=by, now=now)
    # And what was opened from browsers whose sessions have ended by themselves.
    await end_sessions_of(session, official_id=official_id, because=because, by=by, now=now)
