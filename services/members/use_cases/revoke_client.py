"""Use case: a member ends one of its clients."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import Client
from services.members.model.speaker import Speaker
from services.members.use_cases.end_sessions import end_sessions_of
from services.members.use_cases.governed_client import governed_client
from services.members.use_cases.record import record
from shared.contracts.members import ClientRevoked
from shared.messaging.outbox import announce


async def revoke_client(
    session: AsyncSession,
    slug: str,
    client_id: str,
    *,
    expected: int | None,
    speaker: Speaker,
    now: datetime,
) -> Client:
    """Revoke a client for good with all sessions of people in it, and announce it to the member.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker's client has just been revoked.
        ClientNotFound: the member has no such client, or shows it to others only.
        OnlyTheMemberItself: the speaker is the secretariat.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
        ClientIsRevoked: that has happened before.
        ClientOfThePlatform: officials of every member log in to it.
    """
    governed = await governed_client(session, slug, client_id, expected=expected, speaker=speaker)
    client, before = governed.client, governed.before
    client.revoke(at=now)
    announce(
        session,
        ClientRevoked.about(
            client.state(), before=before, by=speaker.actor, at=now, audience=(slug,)
        ),
    )
    await record(
        session,
        member=slug,
        action="client.revoked",
        subject=f"client:{client.id}",
        actor=speaker.actor,
        at=now,
    )
    await end_sessions_of(
        session, client_id=client.id, because="client revoked", by=speaker.actor, now=now
    )
    return client
