"""Use case: a member lets a machine act for it, or its people use an application."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import (
    Client,
    ensure_may_be_told,
    ensure_may_give,
    ensure_may_serve,
    ensure_sees_clients_of,
    new_client_id,
    new_secret,
    secret_hash_of,
)
from services.members.model.member import Member
from services.members.model.speaker import Speaker
from services.members.queries.members import member_for_change, speaker_of
from services.members.use_cases.fields import ClientFields
from services.members.use_cases.record import record
from shared.actor import LoginDemand
from shared.contracts.members import ClientRegistered
from shared.messaging.outbox import announce


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A new client, and the only sight of its secret, if it has one."""

    client: Client
    secret: str | None = field(repr=False)


async def register_client(
    session: AsyncSession,
    slug: str,
    fields: ClientFields,
    *,
    allow_private: bool = False,
    speaker: Speaker,
    login: LoginDemand,
    now: datetime,
) -> RegisteredClient:
    """Register a client of a member, and announce it to that member alone.

    Args:
        session: of the request.
        slug: of the member.
        fields: what it is to be.
        allow_private: accept an address for notices of logout on this machine.
        speaker: who asks for it.
        login: what is asked of the login of a person.
        now: when.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker's client has just been revoked.
        ClientNotFound: the speaker sees no clients of this member.
        OnlyTheMemberItself: the secretariat, for a member that has had a client.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        MembershipEnded: the member has withdrawn.
        ScopeReserved: a scope is for the secretariat alone.
        OnlyTheSecretariat: it would serve the whole network.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
        LogoutAddressNotAllowed: no request of ours may go to its address for notices.
        ClientContradictory: no client can be like this.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker's own client may have been revoked.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_clients_of(slug, speaker)
    member.ensure_may_register(speaker)
    ensure_may_give(fields.scopes, member, speaker)
    ensure_may_serve(fields.serves_network, member, speaker)
    speaker.actor.ensure_logged_in(login, at=now)
    ensure_may_be_told(fields.backchannel_logout_uri, allow_private=allow_private)
    registered = new_client(member, fields, now=now)
    client = registered.client
    client.ensure_consistent()
    member.has_clients = True
    session.add(client)
    announce(
        session, ClientRegistered.about(client.state(), by=speaker.actor, at=now, audience=(slug,))
    )
    await record(
        session,
        member=slug,
        action="client.registered",
        subject=f"client:{client.id}",
        actor=speaker.actor,
        at=now,
        details={"kind": client.kind, "scopes": client.scopes},
    )
    return registered


def new_client(member: Member, fields: ClientFields, *, now: datetime) -> RegisteredClient:
    """Make a client with an id and, if it proves itself by one, a secret."""
    secret = new_secret() if fields.authentication == "client_secret" else None
    client = Client(
        id=new_client_id(member.slug, fields.name),
        member=member.slug,
        **fields.model_dump(),
        secret_hash=None if secret is None else secret_hash_of(secret),
        created_at=now,
        updated_at=now,
    )
    return RegisteredClient(client, secret)
