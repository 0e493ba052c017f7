"""Use case: a member gives one of its clients another secret."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.speaker import Speaker
from services.members.use_cases.governed_client import governed_client
from services.members.use_cases.record import record
from services.members.use_cases.register_client import RegisteredClient
from shared.actor import LoginDemand
from shared.contracts.members import ClientChanged
from shared.messaging.outbox import announce


async def replace_client_secret(
    session: AsyncSession,
    slug: str,
    client_id: str,
    *,
    overlap: timedelta,
    expected: int | None,
    speaker: Speaker,
    login: LoginDemand,
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
        login: what is asked of the login of a person.
        now: when.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker's client has just been revoked.
        ClientNotFound: the member has no such client, or shows it to others only.
        OnlyTheMemberItself: the speaker is the secretariat.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
        ClientIsRevoked: it is history.
        ClientWithoutSecret: it proves itself by a key, or not at all.
    """
    governed = await governed_client(session, slug, client_id, expected=expected, speaker=speaker)
    client, before = governed.client, governed.before
    speaker.actor.ensure_logged_in(login, at=now)
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
