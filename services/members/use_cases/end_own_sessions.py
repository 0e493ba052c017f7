"""Use case: a person ends what they are logged in to, here, elsewhere or everywhere."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.queries.presences import own_sign_in, presence_of
from services.members.use_cases.end_presence import end_presence
from services.members.use_cases.end_sign_in import end_sign_in
from shared.actor import Actor


async def end_own_sessions(
    session: AsyncSession, sign_in_id: UUID | None, *, actor: Actor, now: datetime
) -> None:
    """End a session in a browser, with all applications that were opened from it.

    Args:
        session: of the database.
        sign_in_id: which; without it all of this person's, as the official that they are here.
        actor: who asks.
        now: when.

    Raises:
        PersonNeeded: a machine asks.
        OnlyThePlatformItself: an application of others asks.
        OwnSessionNotFound: it is not this person's, or has ended.
    """
    presence = await presence_of(session, actor)
    presence.ensure_trusted()
    official_id = presence.official.id
    if sign_in_id is None:
        await end_presence(session, official_id, because="left everywhere", by=actor, now=now)
        return
    sign_in = await own_sign_in(session, official_id, sign_in_id, now=now)
    await end_sign_in(session, sign_in, because="ended by hand", by=actor, now=now)
