"""Use case: a member lets one of its machines act for it."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import (
    Client,
    ensure_may_give,
    ensure_sees_clients_of,
    new_client_id,
    new_secret,
    secret_hash_of,
)
from services.members.model.scopes import Scope
from services.members.model.speaker import Speaker
from services.members.queries.members import member_for_change, speaker_of
from shared.contracts.members import ClientRegistered
from shared.messaging.outbox import announce


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A new client, and the only sight of its secret."""

    client: Client
    secret: str = field(repr=False)


async def register_client(
    session: AsyncSession,
    slug: str,
    *,
    name: str,
    scopes: tuple[Scope, ...],
    speaker: Speaker,
    now: datetime,
) -> RegisteredClient:
    """Register a client of a member, and announce it to that member alone.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker's client has just been revoked.
        ClientNotFound: the speaker sees no clients of this member.
        OnlyTheMemberItself: the secretariat, for a member that has had a client.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        MembershipEnded: the member has withdrawn.
        ScopeReserved: a scope is for the secretariat alone.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker's own client may have been revoked.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_clients_of(slug, speaker)
    member.ensure_may_register(speaker)
    ensure_may_give(scopes, member, speaker)
    secret = new_secret()
    client = Client(
        id=new_client_id(slug, name),
        member=slug,
        name=name,
        scopes=scopes,
        secret_hash=secret_hash_of(secret),
        created_at=now,
        updated_at=now,
    )
    member.has_clients = True
    session.add(client)
    announce(
        session, ClientRegistered.about(client.state(), by=speaker.actor, at=now, audience=(slug,))
    )
    return RegisteredClient(client, secret)
