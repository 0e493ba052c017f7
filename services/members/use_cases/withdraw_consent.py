"""Use case: a person lets an application act in their name no longer."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.queries.presences import own_consent, presence_of
from services.members.use_cases.end_sessions import end_sessions_of
from services.members.use_cases.record import record
from shared.actor import Actor


async def withdraw_consent(
    session: AsyncSession, client_id: str, *, actor: Actor, now: datetime
) -> None:
    """Take back what a person let an application do, and end their sessions in it.

    Raises:
        PersonNeeded: a machine asks.
        OnlyThePlatformItself: an application of others asks.
        ConsentNotFound: there is nothing to take back.
    """
    presence = await presence_of(session, actor)
    presence.ensure_trusted()
    official = presence.official
    await session.delete(await own_consent(session, official.id, client_id))
    await record(
        session,
        member=official.member,
        action="consent.withdrawn",
        subject=f"client:{client_id}",
        actor=actor,
        at=now,
        details={"official": str(official.id)},
    )
    await end_sessions_of(
        session,
        official_id=official.id,
        client_id=client_id,
        because="consent withdrawn",
        by=actor,
        now=now,
    )
