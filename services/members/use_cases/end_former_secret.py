"""Use case: a member lets the former secret of one of its clients be good no longer."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import Client
from services.members.model.speaker import Speaker
from services.members.use_cases.governed_client import governed_client
from services.members.use_cases.record import record
from shared.contracts.members import ClientChanged
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
    governed = await governed_client(session, slug, client_id, expected=expected, speaker=speaker)
    client, before = governed.client, governed.before
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
