"""Use case: a member lets the former secret of one of its clients be good no longer."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import Client, ensure_sees_clients_of
from services.members.model.speaker import Speaker
from services.members.queries.clients import client_of
from services.members.queries.members import member_for_change, speaker_of
from services.members.use_cases.record import record
from shared.contracts.members import ClientChanged
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def end_former_secret(
    session: AsyncSession,
    slug: str,
    client_id: str,
    *,
    expected: int | None,
    speaker: Speaker,
    now: datetime,
) -> Client:
    """End the time in which both secrets are good, and announce the change to the member.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker's client has just been revoked.
        ClientNotFound: the member has no such client, or shows it to others only.
        OnlyTheMemberItself: the speaker is the secretariat.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
        ClientIsRevoked: it is history.
        NoFormerSecret: there is none.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker's own client may have been revoked.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_clients_of(slug, speaker)
    client = await client_of(session, slug, client_id, for_change=True)
    member.ensure_governed_by(speaker)
    before = client.state()
    ensure_version(expected, before)
    client.end_former_secret(at=now)
    announce(
        session,
        ClientChanged.about(
            client.state(), before=before, by=speaker.actor, at=now, audience=(slug,)
        ),
    )
    await record(
        session,
        member=slug,
        action="client.former_secret_ended",
        subject=f"client:{client.id}",
        actor=speaker.actor,
        at=now,
    )
    return client
