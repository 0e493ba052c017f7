"""Use case: a person's session ends in a browser, and in all applications opened from it."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.sign_in import SignIn
from services.members.use_cases.end_sessions import end_sessions_of


async def end_sign_in(
    session: AsyncSession, sign_in: SignIn, *, because: str, now: datetime
) -> None:
    """End a session with all that was opened from it, and tell the member of each."""
    sign_in.end(because=because, at=now)
    await end_sessions_of(session, sign_in_id=sign_in.id, because=because, now=now)
