"""Use case: a member gives one of its clients another secret."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import ensure_sees_clients_of
from services.members.model.speaker import Speaker
from services.members.queries.clients import client_of
from services.members.queries.members import member_for_change, speaker_of
from services.members.use_cases.record import record
from services.members.use_cases.register_client import RegisteredClient
from shared.contracts.members import ClientChanged
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def replace_client_secret(
    session: AsyncSession,
    slug: str,
    client_id: str,
    *,
    overlap: timedelta,
    expected: int | None,
    speaker: Speaker,
    now: datetime,
) -> RegisteredClient:
    """Replace the secret of a client, and announce the change to the member.

    Args:
        session: of the request.
        slug: of the member.
        client_id: of one of its clients.
        overlap: how long the former secret stays good.
        expected: version that the speaker has read.
        speaker: who asks for it.
        now: when.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker's client has just been revoked.
        ClientNotFound: the member has no such client, or shows it to others only.
        OnlyTheMemberItself: the speaker is the secretariat.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
        ClientIsRevoked: it is history.
        ClientWithoutSecret: it proves itself by a key, or not at all.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker's own client may have been revoked.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_clients_of(slug, speaker)
    client = await client_of(session, slug, client_id, for_change=True)
    member.ensure_governed_by(speaker)
    before = client.state()
    ensure_version(expected, before)
    secret = client.replace_secret(overlap=overlap, at=now)
    announce(
        session,
        ClientChanged.about(
            client.state(), before=before, by=speaker.actor, at=now, audience=(slug,)
        ),
    )
    await record(
        session,
        member=slug,
        action="client.secret_replaced",
        subject=f"client:{client.id}",
        actor=speaker.actor,
        at=now,
        details={"overlap_seconds": int(overlap.total_seconds())},
    )
    return RegisteredClient(client, secret)
