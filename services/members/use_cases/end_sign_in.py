"""Use case: a person's session ends in a browser, and in all applications opened from it."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.sign_in import SignIn
from services.members.use_cases.end_sessions import end_sessions_of
from services.members.use_cases.record import record
from shared.actor import Actor


async def end_sign_in(
    session: AsyncSession, sign_in: SignIn, *, because: str, by: Actor = Actor.CLOCK, now: datetime
) -> None:
    """End a session with all that was opened from it, and tell the member of each."""
    sign_in.end(because=because, at=now)
    await record(
        session,
        member=sign_in.member,
        action="login.ended",
        subject=f"official:{sign_in.official_id}",
        actor=by,
        at=now,
        reason=because.replace(" ", "-"),
        details={"sign_in": str(sign_in.id)},
    )
    await end_sessions_of(session, sign_in_id=sign_in.id, because=because, by=by, now=now)


def themselves(sign_in: SignIn) -> Actor:
    """Who ends a session from its own browser."""
    return Actor(member=sign_in.member, official_id=sign_in.official_id)
