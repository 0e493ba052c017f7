"""Use case: a member gives one of its clients another name, other scopes or addresses."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import Client, ensure_may_be_told
from services.members.model.speaker import Speaker
from services.members.use_cases.governed_client import governed_client
from services.members.use_cases.record import different, record
from shared.actor import LoginDemand
from shared.contracts.members import ClientChanged
from shared.messaging.outbox import announce


async def change_client(
    session: AsyncSession,
    slug: str,
    client_id: str,
    fields: dict[str, Any],
    *,
    expected: int | None,
    allow_private: bool = False,
    speaker: Speaker,
    login: LoginDemand,
    now: datetime,
) -> Client:
    """Change what is given and different, and announce it to the member if anything is.

    Tokens that the client holds keep their scopes until they expire.

    Args:
        session: of the request.
        slug: of the member.
        client_id: of one of its clients.
        fields: names and new values.
        expected: version that the speaker has read.
        allow_private: accept an address for notices of logout on this machine.
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
        ClientIsRevoked: it is history.
        ClientOfThePlatform: only an operator changes it.
        ScopeReserved: a scope is for the secretariat alone.
        OnlyTheSecretariat: it would serve the whole network.
        InsufficientUserAuthentication: it would be different, and the login behind the token does
            not meet `login`.
        LogoutAddressNotAllowed: no request of ours may go to its address for notices.
        ClientContradictory: no client can be like this.
    """
    governed = await governed_client(session, slug, client_id, expected=expected, speaker=speaker)
    client, before = governed.client, governed.before
    client.ensure_may_become(fields, member=governed.member, speaker=governed.speaker)
    if client.is_different_with(fields):
        speaker.actor.ensure_logged_in(login, at=now)
    ensure_may_be_told(fields.get("backchannel_logout_uri"), allow_private=allow_private)
    if client.become(fields, at=now):
        announce(
            session,
            ClientChanged.about(
                client.state(), before=before, by=speaker.actor, at=now, audience=(slug,)
            ),
        )
        await record(
            session,
            member=slug,
            action="client.changed",
            subject=f"client:{client.id}",
            actor=speaker.actor,
            at=now,
            details={"fields": different(before, client.state()), "scopes": client.scopes},
        )
    return client
