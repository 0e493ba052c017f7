"""Use case: a member ends one of its clients."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import Client, ensure_sees_clients_of
from services.members.model.speaker import Speaker
from services.members.queries.clients import client_of
from services.members.queries.members import member_for_change
from services.members.use_cases.end_sessions import end_sessions_of
from services.members.use_cases.record import record
from shared.contracts.members import ClientRevoked
from shared.http.preconditions import ensure_version
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
        ClientNotFound: the member has no such client, or shows it to others only.
        OnlyTheMemberItself: the speaker is the secretariat.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
        ClientIsRevoked: that has happened before.
        ClientOfThePlatform: officials of every member log in to it.
    """
    member = await member_for_change(session, slug)
    ensure_sees_clients_of(slug, speaker)
    client = await client_of(session, slug, client_id, for_change=True)
    member.ensure_governed_by(speaker)
    before = client.state()
    ensure_version(expected, before)
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
